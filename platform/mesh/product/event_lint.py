"""What the SQL of an event port may not hold: whatever sees more than one row, or no row at all.

Judged on DuckDB's own syntax tree; nothing is run. Not here: the query itself (`transform`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

import duckdb

from mesh.contract.sandbox import sandbox

__all__ = [
    "NotAQuery",
    "base_tables",
    "clock_faults",
    "cte_names",
    "faults_of",
    "nodes",
    "parse",
    "tables_at",
    "tables_of",
]

# DuckDB calls these CONSISTENT though their answer depends on the clock or the session.
UNTRUE_TO_DATA = frozenset({"age", "current_setting", "getvariable"})
NOT_A_MAP = {
    "TABLE_FUNCTION": "table function",
    "SET_OPERATION_NODE": "set operation",
    "RECURSIVE_CTE_NODE": "recursive query",
    "SHOW_REF": "description of a table",
}
# The grammar reads these as columns; the binder makes them calls of the clock.
CLOCKS = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
# What a macro calls: names before a parenthesis, and the clocks, which need none.
CALLED = re.compile(rf'(\w+)"?\(|\b({"|".join(CLOCKS)})\b')


class NotAQuery(Exception):
    """The text is no single SELECT statement; the message says what it is."""


def parse(sql: str) -> dict[str, object]:
    """DuckDB's own syntax tree of one SELECT statement. Raises `NotAQuery`."""
    with sandbox() as connection:
        # The text is a value here: it is parsed, never run.
        rows = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
    tree: dict[str, object] = json.loads(rows[0][0])
    if tree.get("error"):
        raise NotAQuery(tree.get("error_message", "not a query"))
    statements = tree["statements"]
    if not isinstance(statements, list) or len(statements) != 1:
        count = "more than one statement" if statements else "no statement"
        raise NotAQuery(count)
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
        if node.get("group_sets") or node.get("aggregate_handling") == "FORCE_AGGREGATES":
            yield "GROUP BY depends on how batches are cut"
        if node.get("sample"):
            yield "a sample is chosen by chance"
        if kind == "COLUMN_REF" and str(column_of(node)).lower() in CLOCKS:
            yield f"{column_of(node)} is not a function of the data"
        if kind == "FUNCTION":
            yield from function_faults(str(node.get("function_name")).lower())


def clock_faults(tree: dict[str, object]) -> Iterator[str]:
    """What of the query is no function of the data: the clock, chance, the session."""
    for node in nodes(tree):
        if node.get("class") == "COLUMN_REF" and str(column_of(node)).lower() in CLOCKS:
            yield f"{column_of(node)} is not a function of the data"
        name = str(node.get("function_name")).lower()
        if node.get("class") == "FUNCTION" and name in function_names()[1] | UNTRUE_TO_DATA:
            yield f"{name}() is not a function of the data"


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
        macros = connection.execute(
            "select lower(function_name), macro_definition from duckdb_functions()"
            " where function_type = 'macro'"
        ).fetchall()
    scalars = {name for name, type_, _ in rows if type_ == "scalar"}
    aggregates = {name for name, type_, _ in rows if type_ == "aggregate"} - scalars
    volatile = {name for name, _, stability in rows if stability and stability != "CONSISTENT"}
    return with_macros(aggregates, macros), with_macros(volatile | CLOCKS, macros)


def with_macros(names: set[str], macros: list[tuple[str, str]]) -> frozenset[str]:
    """*names* and the macros that call one of them."""
    found = set(names)
    while True:
        calling = {name for name, text in macros if found & called_by(text)} - found
        if not calling:
            return frozenset(found)
        found |= calling


def called_by(macro: str) -> set[str]:
    """The names of what the text of a macro calls."""
    return {one or other for one, other in CALLED.findall(macro.lower())}


def tables_of(tree: dict[str, object]) -> set[str]:
    """The names of what the query reads, other than its own parts."""
    return set(base_tables(tree)) - cte_names(tree)


def base_tables(tree: dict[str, object]) -> Iterator[str]:
    """The names that the query reads from; with its schema where it names one."""
    for name, _ in tables_at(tree):
        yield name


def tables_at(tree: dict[str, object]) -> Iterator[tuple[str, int]]:
    """The same names, and where in the bytes of the text each stands."""
    for node in nodes(tree):
        if node.get("type") == "BASE_TABLE":
            parts = (node.get("catalog_name"), node.get("schema_name"), node["table_name"])
            name = ".".join(str(each).lower() for each in parts if each)
            yield name, int(str(node["query_location"]))


def cte_names(tree: dict[str, object]) -> set[str]:
    """The names that the query gives to its own parts."""
    names: set[str] = set()
    for node in nodes(tree):
        cte_map = node.get("cte_map")
        if isinstance(cte_map, dict) and isinstance(cte_map.get("map"), list):
            names |= {str(entry["key"]).lower() for entry in cte_map["map"]}
    return names
