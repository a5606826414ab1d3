"""Which rows of one input the touched keys of a state port are computed from.

Some queries read an input more than once, or look at its rows side by side, so that narrowing
it to the touched keys would be wrong. `links.needs.sql`, beside `links.keys.sql`, says which
rows are enough; its first line names the input:

    -- rows of: statements
    select s.* from statements s join _touched t using (relation, link_id)

`_touched` has the output keys. Rows too many are always right, rows too few are wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mesh.contract.faults import Fault
from mesh.contract.model import Contract
from mesh.contract.types import duckdb_columns
from mesh.errors import InvalidFile
from mesh.product.duck import quoted
from mesh.product.event_lint import NotAQuery, parse

__all__ = ["TOUCHED", "Needs", "read_needs"]

TOUCHED = "_touched"
ROWS_OF = re.compile(r"--\s*rows of:\s*(\w+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """The SQL that gives the rows of *input* which are enough."""

    input: str
    sql: str


def read_needs(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    contract: Contract,
    sources: Mapping[str, Contract],
) -> Needs | None:
    """Read and bind the file at *path*, if it is there; *connection* has empty inputs.

    Raises `InvalidFile` where it does not give an input's rows.
    """
    if not path.exists():
        return None
    try:
        sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
        parse(sql)
    except (OSError, UnicodeDecodeError, NotAQuery) as error:
        raise fault(path, f"it cannot be read: {error}", "write one SELECT statement") from error
    named = ROWS_OF.match(sql)
    if named is None or named[1] not in sources:
        known = ", ".join(sorted(sources))
        raise fault(
            path, "its first line names no input", f"write `-- rows of: ` and one of {known}"
        )
    keys = {each.name for each in contract.key_fields}
    columns = ", ".join(f"{quoted(n)} {t}" for n, t in duckdb_columns(contract) if n in keys)
    connection.execute(f"create or replace temp table {TOUCHED} ({columns})")
    try:
        found = [row[0] for row in connection.execute(f"describe {sql}").fetchall()]
    except duckdb.Error as error:
        raise fault(path, f"DuckDB refuses it: {str(error).splitlines()[0]}", "mend it") from error
    if found != [name for name, _ in duckdb_columns(sources[named[1]])]:
        raise fault(path, f"it gives {', '.join(found)}", f"select all columns of {named[1]}")
    return Needs(input=named[1], sql=sql)


def fault(path: Path, problem: str, remedy: str) -> InvalidFile:
    """A fault of the SQL file as a whole."""
    return InvalidFile([Fault(path=path, line=0, problem=problem, remedy=remedy, rule="state-sql")])
