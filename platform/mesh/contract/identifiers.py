"""The company's list of identifiers: what each is called, looks like, and who assigns it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.contract.names import is_kebab, shown
from mesh.contract.schema_check import schema_faults
from mesh.contract.yamlfile import Report, YamlFile, read_yaml

__all__ = ["Identifier", "load_identifiers"]

_RULE = "identifiers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """A kind of identifier. *format* is a regular expression that every value matches.

    *standard* names one that says more than an expression can (`mesh.contract.standards`).
    """

    name: str
    description: str
    owner: str
    is_personal: bool
    format: str | None = None
    standard: str | None = None


def load_identifiers(path: Path) -> Mapping[str, Identifier]:
    """Read the list at *path*, by name. Raises `InvalidFile`."""
    file = read_yaml(path)
    report = Report()
    report.faults += schema_faults(file, "identifiers")
    found = _checked(file, report)
    report.raise_faults()
    return found


def _checked(file: YamlFile, report: Report) -> dict[str, Identifier]:
    found: dict[str, Identifier] = {}
    for node in file.root["identifiers"].items:
        name, pattern = node["name"].text, node["format"].text
        if not is_kebab(name):
            report.fault(node["name"], f"{shown(name)} is no name", "use kebab-case", rule=_RULE)
        if name in found:
            report.fault(node["name"], f"{name} stands here twice", "remove one", rule=_RULE)
        if problem := _pattern_problem(pattern):
            report.fault(node["format"], problem, "write a regular expression", rule=_RULE)
        found[name] = Identifier(
            name=name,
            description=node["description"].text,
            owner=node["owner"].text,
            is_personal=node["personal"].value is True,
            format=pattern or None,
            standard=node["standard"].text or None,
        )
    return found


def _pattern_problem(pattern: str) -> str | None:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"not a regular expression: {error}"
    return None
