"""The SQL of an event port: which input it maps, what it may not hold, and running it.

An event port's result must not depend on how its input was cut into batches. So each row
comes from one row of `new_<input>`, which the query names by selecting `_cause` along:

    select call_id, ended_at - started_at as duration, _cause from new_finished_calls
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.faults import Fault
from mesh.errors import InvalidFile

__all__ = ["CAUSE", "EventQuery", "read_event_query"]

CAUSE = "_cause"
NEW = "new_"
# DuckDB calls these CONSISTENT though their answer depends on the clock or the session.
UNTRUE_TO_DATA = frozenset({"age", "current_setting", "getvariable"})
NOT_A_MAP = {
    "TABLE_FUNCTION": "table function",
    "SET_OPERATION_NODE": "set operation",
    "RECURSIVE_CTE_NODE": "recursive query",
}
# The grammar reads these as columns; the binder makes them calls of the clock.
CLOCKS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """One event port's query, linted. *input_name* is the snake_case name of its one input."""

    path: Path
    sql: str
    input_name: str

    @property
    def relation(self) -> str:
        """The relation of the batch's rows that the query reads."""
        return NEW + self.input_name

    def run(self, connection: duckdb.DuckDBPyConnection, batch: pa.Table) -> pa.Table:
        """The rows that *batch* (the input's columns and `_cause`) becomes, in no fixed order.

        Raises `InvalidFile` where DuckDB cannot run the query.
        """
        connection.register(self.relation, batch)
        try:
            return connection.sql(self.sql).to_arrow_table()
        except duckdb.Error as error:
            raise InvalidFile([self._fault(f"DuckDB refuses it: {error}", "mend it")]) from error
        finally:
            connection.unregister(self.relation)

    def _fault(self, problem: str, remedy: str) -> Fault:
        return Fault(path=self.path, line=0, problem=problem, remedy=remedy, rule="event-sql")


def read_event_query(path: Path) -> EventQuery:
    """Read and lint the query of an event port.

    Raises `InvalidFile` with every fault: more than one input, or anything whose result
    would depend on the batch (aggregates, joins, windows, limits, the clock, chance).
    """
    try:
        sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile([fault(path, f"it cannot be read: {error}", "write it")]) from error
    tree = parse(path, sql)
    problems = sorted({*faults_of(tree)})
    tables = {name for name in base_tables(tree) if name not in cte_names(tree)}
    if len(tables) != 1 or not next(iter(tables)).startswith(NEW):
        problems.append(f"it reads {', '.join(sorted(tables)) or 'nothing'}")
    if problems:
        remedy = "an event port maps the rows of one new_<input>; see docs/products.md"
        raise InvalidFile([fault(path, each, remedy) for each in problems])
    return EventQuery(path=path, sql=sql, input_name=tables.pop().removeprefix(NEW))


def fault(path: Path, problem: str, remedy: str) -> Fault:
    """A fault of the SQL file as a whole."""
    return Fault(path=path, line=0, problem=problem, remedy=remedy, rule="event-sql")


def parse(path: Path, sql: str) -> dict[str, object]:
    """DuckDB's own syntax tree of one SELECT statement."""
    with duckdb.connect() as connection:
        # The text is a value here: it is parsed, never run.
        rows = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree: dict[str, object] = json.loads(rows[0][0])
    if tree.get("error"):
        message = str(tree.get("error_message", "not a query"))
        raise InvalidFile([fault(path, message, "write one SELECT statement")])
    statements = tree["statements"]
    if not isinstance(statements, list) or len(statements) != 1:
        raise InvalidFile([fault(path, "more than one statement", "write one SELECT statement")])
    return tree


def nodes(tree: object) -> Iterator[dict[str, object]]:
    """Every object of a syntax tree."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def faults_of(tree: dict[str, object]) -> Iterator[str]:
    """What makes the result depend on more than one row of the input."""
    for node in nodes(tree):
        kind, type_ = node.get("class"), str(node.get("type"))
        if kind == "WINDOW":
            yield "a window function sees more than one row"
        if kind == "SUBQUERY":
            yield "a subquery in an expression sees more than one row"
        if type_ == "JOIN":
            yield "a join depends on what else has arrived"
        if type_ in NOT_A_MAP:
            yield f"a {NOT_A_MAP[type_]} is not a map of rows"
        if type_ in ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"):
            yield f"{type_.split('_')[0]} depends on how batches are cut"
        if node.get("group_expressions"):
            yield "GROUP BY depends on how batches are cut"
        if kind == "COLUMN_REF" and str(column_of(node)).lower() in CLOCKS:
            yield f"{column_of(node)} is not a function of the data"
        if kind == "FUNCTION":
            yield from function_faults(str(node.get("function_name")).lower())


def column_of(node: dict[str, object]) -> object:
    """The name in a reference to a column, if it stands alone."""
    names = node.get("column_names")
    return names[0] if isinstance(names, list) and len(names) == 1 else None


def function_faults(name: str) -> Iterator[str]:
    """Why an event port may not call *name*."""
    aggregates, volatile = function_names()
    if name in aggregates:
        yield f"the aggregate {name}() sees more than one row"
    if name in volatile or name in UNTRUE_TO_DATA:
        yield f"{name}() is not a function of the data"


@cache
def function_names() -> tuple[frozenset[str], frozenset[str]]:
    """DuckDB's aggregates, and its functions whose result is not decided by their arguments."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select distinct lower(function_name), function_type, stability from duckdb_functions()"
        ).fetchall()
    scalars = {name for name, type_, _ in rows if type_ == "scalar"}
    aggregates = {name for name, type_, _ in rows if type_ == "aggregate"} - scalars
    volatile = {name for name, _, stability in rows if stability and stability != "CONSISTENT"}
    return frozenset(aggregates), frozenset(volatile)


def base_tables(tree: dict[str, object]) -> Iterator[str]:
    """The names that the query reads from."""
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            yield str(node["table_name"]).lower()


def cte_names(tree: dict[str, object]) -> set[str]:
    """The names that the query gives to its own parts."""
    names: set[str] = set()
    for node in nodes(tree):
        cte_map = node.get("cte_map")
        if isinstance(cte_map, dict) and isinstance(cte_map.get("map"), list):
            names |= {str(entry["key"]).lower() for entry in cte_map["map"]}
    return names
