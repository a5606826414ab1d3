"""Judges the SQL expressions that a contract brings: they are hostile text until proven harmless.

An expression passes only if DuckDB's own parser reads it as one scalar expression over the
contract's columns, made of deterministic functions of an allow-list. What is executed
later is the text that DuckDB prints from the tree that was judged, never the text given.

    canonical_expression("ended_at >= started_at -- why", {"ended_at", "started_at"})
    # '(ended_at >= started_at)'
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mesh.contract.names import listed, nearest, shown
from mesh.contract.sandbox import sandbox

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "FUNCTIONS",
    "ExpressionProblem",
    "canonical_expression",
    "evaluation_problem",
    "pattern_problem",
]

MAX_LENGTH = 1000
MAX_DEPTH = 200  # levels of JSON; some three for each level of the expression

# Deterministic, one row, and a result not much larger than the arguments: `repeat` or a
# nested `replace` could ask for gigabytes, `age` reads the clock, `getenv` the machine.
_OPERATORS = "+ - * / // % ** ^ & | || ~~ !~~ ~~* !~~* ~~~ ^@ like_escape not_like_escape"
_TEXT = (
    "lower upper length len strlen trim ltrim rtrim left right substring substr starts_with"
    " ends_with prefix suffix contains position strpos instr reverse concat concat_ws"
    " regexp_matches regexp_full_match nullif"
)
_NUMBERS = "abs sign floor ceil ceiling round trunc greatest least mod isnan isfinite isinf"
_TIMES = (
    "date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub epoch epoch_ms"
    " year quarter month day hour minute second week dayofweek isodow dayofyear timezone"
    " to_seconds to_minutes to_hours to_days to_weeks to_months to_years"
)
_LISTS = "list_value list_contains list_has array_length list_distinct struct_extract cardinality"
FUNCTIONS = frozenset(f"{_OPERATORS} {_TEXT} {_NUMBERS} {_TIMES} {_LISTS}".split())

_CLASSES = {
    "COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "CASE", "CONSTANT", "CAST",
    "COLUMN_REF", "FUNCTION",
}  # fmt: skip
_OPERATOR_TYPES = {
    "OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_COALESCE",
    "OPERATOR_NULLIF", "OPERATOR_TRY", "COMPARE_IN", "COMPARE_NOT_IN", "ARRAY_EXTRACT",
    "ARRAY_SLICE", "STRUCT_EXTRACT",
}  # fmt: skip
_CAST_TYPES = {
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
    "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIME", "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE", "UUID", "INTERVAL",
}  # fmt: skip


class ExpressionProblem(Exception):
    """An expression or pattern cannot be a rule; *remedy* says what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} ({remedy})")


def canonical_expression(text: str, columns: Collection[str]) -> str:
    """Return *text* as DuckDB prints it once it is judged harmless.

    Raises `ExpressionProblem`.
    """
    return _canonical(text, frozenset(columns))


# A project is read again and again in one process, and its rules are nearly always the same.
@lru_cache(4096)
def _canonical(text: str, columns: frozenset[str]) -> str:
    if not text.strip() or len(text) > MAX_LENGTH or not _is_clean(text):
        raise ExpressionProblem(
            "an expression that is empty, very long, or not plain text",
            f"write one SQL expression of at most {MAX_LENGTH} characters",
        )
    with sandbox() as connection:
        tree = _parsed(connection, f"select (\n{text}\n)")
        if _frame(tree) != _frame(_parsed(connection, "select (\ntrue\n)")):
            raise ExpressionProblem("more than one expression", "write one SQL expression")
        for node in _nodes(tree["statements"][0]["node"]["select_list"][0]):
            _judge_node(node, columns)
        printed = _printed(connection, tree)
        # The text that will run must read back as the very tree that was judged.
        if _bare(_parsed(connection, printed)) != _bare(tree):
            raise ExpressionProblem("an expression with two readings", "write it more plainly")
    return printed.removeprefix("SELECT ")


@lru_cache(4096)
def evaluation_problem(expression: str, columns: tuple[tuple[str, str], ...]) -> str | None:
    """Return why *expression* is not true, false or null over *columns* (name, SQL type)."""
    import duckdb

    nulls = ", ".join(f'cast(null as {type_}) as "{name}"' for name, type_ in columns)
    query = f"select typeof({expression}), {expression} from (select {nulls})"
    try:
        with sandbox() as connection:
            ((type_, _value),) = connection.execute(query).fetchall()
    except duckdb.Error as error:
        return _first_line(error)
    return None if type_ in ("BOOLEAN", '"NULL"') else f"it gives {type_}, not true or false"


@lru_cache(4096)
def pattern_problem(pattern: str) -> str | None:
    """Return why *pattern* is no regular expression that runs in linear time (RE2)."""
    import duckdb

    try:
        with sandbox() as connection:
            connection.execute("select regexp_matches('', ?)", [pattern]).fetchall()
    except duckdb.Error as error:
        return _first_line(error)
    return None


def _is_clean(text: str) -> bool:
    """Whether DuckDB can take *text*: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    import duckdb

    try:
        ((text,),) = connection.execute("select json_serialize_sql(?)", [query]).fetchall()
        tree: dict[str, Any] = json.loads(text)
    except (duckdb.Error, ValueError) as error:
        raise ExpressionProblem(_first_line(error), "write one SQL expression") from error
    except RecursionError as error:
        raise ExpressionProblem("an expression nested too deeply", "split the rule") from error
    if _is_too_deep(tree):
        raise ExpressionProblem("an expression nested too deeply", "split the rule")
    if tree.get("error"):
        reason = " ".join(str(tree.get("error_message")).split())
        raise ExpressionProblem(f"not an SQL expression: {reason}", "write one SQL expression")
    return tree


def _is_too_deep(tree: object) -> bool:
    """Whether the tree could exhaust the stack of the functions below, which recurse."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one)]
        if not level:
            return False
    return True


def _parts(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []


def _printed(connection: duckdb.DuckDBPyConnection, tree: dict[str, Any]) -> str:
    ((text,),) = connection.execute("select json_deserialize_sql(?)", [json.dumps(tree)]).fetchall()
    return str(text)


def _frame(tree: dict[str, Any]) -> object:
    """Return all of a statement but its first expression: equal for every plain `select (x)`."""
    bare = _bare(tree)
    for statement in bare["statements"]:
        for expression in statement["node"].get("select_list", [])[:1]:
            expression.clear()
    return bare


def _bare(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _bare(value) for key, value in node.items() if key != "query_location"}
    return [_bare(value) for value in node] if isinstance(node, list) else node


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of an expression, itself first."""
    if isinstance(node, dict):
        if "class" in node:
            yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _judge_node(node: dict[str, Any], columns: Collection[str]) -> None:
    class_, type_ = node["class"], node.get("type")
    if class_ not in _CLASSES or (class_ == "OPERATOR" and type_ not in _OPERATOR_TYPES):
        kind = str(type_ if class_ == "OPERATOR" else class_).lower().replace("_", " ")
        raise ExpressionProblem(
            f"a rule may not hold a {kind}", "compare this row's columns with plain functions"
        )
    if class_ == "COLUMN_REF":
        _judge_column(node["column_names"][0], columns)
    elif class_ == "FUNCTION":
        _judge_function(node)
    elif class_ == "CAST" and node["cast_type"]["id"] not in _CAST_TYPES:
        raise ExpressionProblem("a cast to a type that rules may not use", "cast to a plain type")


def _judge_column(name: str, columns: Collection[str]) -> None:
    if name in columns:
        return
    near = nearest(name, columns)
    hint = f"did you mean {near}?" if near else f"the columns are {listed(sorted(columns))}"
    raise ExpressionProblem(f"there is no column {shown(name)}", hint)


def _judge_function(node: dict[str, Any]) -> None:
    name = node["function_name"].lower()
    plain = not (node.get("catalog") or node.get("distinct") or node.get("filter"))
    orders = (node.get("order_bys") or {}).get("orders")
    if name not in FUNCTIONS or node.get("schema") not in ("", "main", None):
        near = nearest(name, FUNCTIONS)
        raise ExpressionProblem(
            f"a rule may not call {shown(name)}",
            f"did you mean {near}?" if near else "docs/contracts.md lists the functions",
        )
    if not plain or orders or node.get("export_state"):
        raise ExpressionProblem(f"{shown(name)} with extras", "call it plainly: name(arguments)")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return " ".join((text[0] if text else type(error).__name__).split())[:200]
