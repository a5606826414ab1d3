"""How faults and findings are printed: one a line, or as JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from mesh.contract.faults import Fault
from mesh.errors import InvalidFile

__all__ = ["as_line", "as_record", "faults_as_json", "print_json"]


def as_line(fault: Fault, *, level: str = "error") -> str:
    """Return a fault on one line; a warning says that it is one."""
    return f"{fault}" if level == "error" else f"warning: {fault}"


def as_record(fault: Fault, *, level: str = "error") -> dict[str, object]:
    """Return a fault for JSON."""
    return {
        "file": str(fault.path),
        "line": fault.line,
        "level": level,
        "rule": fault.rule,
        "problem": fault.problem,
        "remedy": fault.remedy,
    }


def print_json(value: object) -> None:
    """Print *value* as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def faults_as_json(*, is_json: bool) -> Iterator[None]:
    """Print the faults of an `InvalidFile` as JSON and exit with 1, if JSON was asked for."""
    try:
        yield
    except InvalidFile as error:
        if not is_json:
            raise
        print_json({"ok": False, "findings": [as_record(fault) for fault in error.faults]})
        sys.exit(1)
