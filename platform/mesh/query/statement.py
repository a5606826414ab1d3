"""Judges the SQL of a named query as text: one statement that reads, with the parameters it says.

Not here: which tables and columns there are, which each run finds out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from pathlib import Path

from mesh.contract.faults import Fault
from mesh.contract.names import listed
from mesh.contract.sandbox import sandbox

__all__ = ["check_statement"]

_RULE = "query"


def check_statement(path: Path, sql: str, line: int, parameters: Set[str]) -> Iterator[Fault]:
    """Yield the faults of *sql*, which begins on *line* and is to use all *parameters*."""
    import duckdb

    def fault(problem: str, remedy: str, at: int = line) -> Fault:
        return Fault(path=path, line=at, problem=problem, remedy=remedy, rule=_RULE)

    try:
        # With the lines before it, DuckDB counts as the file does.
        found = sandbox().extract_statements("\n" * (line - 1) + sql)
    except duckdb.Error as error:
        at = re.search(r"\nLINE (\d+):", str(error))
        problem = str(error).partition("\n")[0]
        yield fault(problem, "write SQL as DuckDB reads it", int(at[1]) if at else line)
        return
    if len(found) != 1 or found[0].type.name != "SELECT":
        kinds = listed(each.type.name.lower() for each in found) or "nothing"
        yield fault(f"the file has {kinds}", "write one select")
        return
    used = found[0].named_parameters
    for name in sorted(used - parameters):
        yield fault(f"${name} is not declared", f"add `- name: {name}` under `parameters:`")
    for name in sorted(parameters - used):
        yield fault(f"the parameter {name} is not used", f"write ${name}, or remove it")
