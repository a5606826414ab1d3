"""The rows of a mart that new rows of events may have changed, computed in a worker.

Its keys file lists the keys that are touched, from `changed_PRODUCT_PORT` and the tables as they
are; its needs file, where there is one, the rows of one table that are enough for them. Not here:
what becomes of the rows (`mart`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb

from mesh.product.duck import quoted
from mesh.product.state_needs import TOUCHED
from mesh.product.state_query import CHANGED
from mesh.sql.promise import RESULT, judged

__all__ = ["IS_THERE", "NEEDED", "Changed", "Part", "part_of"]

# Of a touched key without a row it is false.
IS_THERE = "_is_there"
# The rows that a needs file gives, as the mart's SQL calls them.
NEEDED = "_needed_rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Of the copy with this *number*, the rows that came at or after *since*, by partition."""

    name: str
    number: int
    columns: tuple[str, ...]
    since: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which rows of a mart are wanted: those of the keys that *keys_sql* gives of *changed*.

    *needs_sql* gives the rows that are enough, where there are such, for the mart's SQL.
    """

    keys_sql: str
    changed: tuple[Changed, ...]
    needs_sql: str = ""

    def as_document(self) -> Mapping[str, object]:
        """As a worker is told it."""
        return asdict(self)


def part_of(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    promise: Mapping[str, Any],
    part: Mapping[str, Any],
) -> duckdb.DuckDBPyConnection:
    """The touched keys, each with its row as *sql* gives it now, if there is one.

    Raises `Broken` where a row breaks the promise.
    """
    types, keys = dict(promise["columns"]), promise["key"]
    names = ", ".join(map(quoted, keys))
    for each in part["changed"]:
        connection.execute(f"create temp view {quoted(CHANGED + each['name'])} as {new_in(each)}")
    casts = ", ".join(f"cast({quoted(k)} as {types[k]}) as {quoted(k)}" for k in keys)
    are_there = " and ".join(f"{quoted(k)} is not null" for k in keys)
    # In the order of the fields, as a keys file gives them.
    given = ", ".join(quoted(each) for each in types if each in keys)
    connection.execute(
        f"create temp table {TOUCHED} as"
        f" select distinct {casts} from ({part['keys_sql']}\n) k({given}) where {are_there}"
    )
    # Of rows that are read once, DuckDB reads no more columns than the query has.
    needed = f"with {NEEDED} as ({part['needs_sql']}\n) " if part["needs_sql"] else ""
    rows = f"{needed}from ({sql}\n) q semi join {TOUCHED} using ({names})"
    judged(connection, rows, {}, promise)
    columns = ", ".join(f"{'t' if each in keys else 'r'}.{quoted(each)}" for each in types)
    return connection.execute(
        f"select {columns}, r.{quoted(keys[0])} is not null as {IS_THERE}"
        f" from {TOUCHED} t left join {RESULT} r using ({names})"
    )


def new_in(changed: Mapping[str, Any]) -> str:
    """SQL: the rows of a copy that came since."""
    columns = ", ".join(map(quoted, changed["columns"]))
    since = {int(partition): int(offset) for partition, offset in changed["since"].items()}
    if not since:
        return f"select {columns} from _{changed['number']}.main.rows where false"
    after = " ".join(f"when {each} then _offset >= {offset}" for each, offset in since.items())
    # The least of them lets DuckDB pass over whole blocks of rows.
    return (
        f"select {columns} from _{changed['number']}.main.rows"
        f" where _offset >= {min(since.values())} and case _partition {after} end"
    )
