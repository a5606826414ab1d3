"""What the answer of a named query must be, and the check that a worker makes of it.

The whole answer is judged before any of it is sent, so that none is taken that breaks its
contract. Not here: where a promise comes from (`mesh.query`), and who may ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

# DuckDB asks for it with the first value of a declared type, when a worker can open no file.
import numpy.ma  # noqa: F401

from mesh.errors import WrongUse
from mesh.product.duck import quoted

__all__ = ["RESULT", "Broken", "Promise", "bound", "judged"]

RESULT = "_result"


class Broken(WrongUse):
    """The answer breaks the contract that its query has for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The columns of an answer with their types, and what holds for its rows.

    *rules* have name, expression and reason; *parameters* the types of what it is asked with.
    """

    name: str
    version: str
    columns: Sequence[tuple[str, str]]
    required: Sequence[str] = ()
    rules: Sequence[tuple[str, str, str]] = ()
    key: Sequence[str] = ()
    parameters: Sequence[tuple[str, str]] = ()

    def as_document(self) -> Mapping[str, object]:
        """As a worker is told it."""
        return asdict(self)


def bound(
    connection: duckdb.DuckDBPyConnection,
    promise: Mapping[str, Any],
    values: Mapping[str, object],
) -> dict[str, duckdb.Value]:
    """The values of parameters, each of the type that it is declared with.

    Types are asked of *connection*: `duckdb.type` opens a database, which no worker can.
    """
    return {
        name: duckdb.Value(values[name], connection.type(type_))
        for name, type_ in promise["parameters"]
    }


def judged(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    values: Mapping[str, duckdb.Value],
    promise: Mapping[str, Any],
) -> duckdb.DuckDBPyConnection:
    """The rows of *sql*, all of them judged. Raises `Broken` with row and rule.

    They are in a table of the open transaction, and go with it.
    """
    connection.execute(f"create temp table {RESULT} as {sql}", values)
    _check_columns(connection, promise)
    for name, wrong, reason in _checks(promise):
        row = connection.execute(wrong).fetchone()
        if row is not None and row[0] is not None:
            # Of rows that are not committed, the first has a number far above nought.
            first = connection.execute(f"select min(rowid) from {RESULT}").fetchone() or row
            raise _broken(promise, name, f"row {row[0] - first[0] + 1}: {reason}")
    return connection.execute(f"from {RESULT}")


def _check_columns(connection: duckdb.DuckDBPyConnection, promise: Mapping[str, Any]) -> None:
    """Raise `Broken` where the columns are others, or have other types."""
    found = connection.execute(f"from {RESULT} limit 0")
    columns = [(each[0], each[1]) for each in found.description or ()]
    wanted = [(name, type_) for name, type_ in promise["columns"]]
    if [name for name, _ in columns] != [name for name, _ in wanted]:
        names = ", ".join(name for name, _ in wanted)
        raise _broken(promise, "columns", f"they are not {names}")
    for (name, is_), (_, type_) in zip(columns, wanted, strict=True):
        if is_ != connection.type(type_):
            raise _broken(promise, f"{name}.type", f"it is {is_}, not {type_}: cast it")


def _checks(promise: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, query for the first row that breaks it, and reason, of everything that must hold."""
    first = f"select min(rowid) from {RESULT} where"
    checks = [
        (f"{name}.required", f"{first} {quoted(name)} is null", f"{name} is required, and null")
        for name in promise["required"]
    ]
    checks += [
        # As in contracts: a rule that is null holds, one that cannot be computed does not.
        (name, f"{first} try(coalesce(({rule}\n), true)) is distinct from true", reason)
        for name, rule, reason in promise["rules"]
    ]
    if promise["key"]:
        key = ", ".join(map(quoted, promise["key"]))
        again = f"select rowid as row, row_number() over (partition by {key} order by rowid) as n"
        twice = f"select min(row) from ({again} from {RESULT}) where n > 1"
        checks.append(("key", twice, f"an earlier row has the same {key}"))
    return checks


def _broken(promise: Mapping[str, Any], rule: str, reason: str) -> Broken:
    name = f"{promise['name']} {promise['version']}"
    return Broken(f"the answer of {name} breaks its contract, {rule}: {reason}")
