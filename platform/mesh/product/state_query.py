"""The SQL of a state port: a plain query over all that is kept, a statement of what is true.

`contracts.sql` is that query. `contracts.keys.sql`, beside it, lists the output keys that a batch
may touch, from `changed_<input>` (old and new images of the changed rows) joined with the tables
as they are after the batch; a superset is always right. Its first line may name the one input
that carries the output key, which the runtime then narrows to the touched rows:

    -- key input: contracts

Not here: computing what changed (`state_port`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mesh.contract.faults import Fault
from mesh.contract.model import Contract
from mesh.contract.types import duckdb_columns
from mesh.errors import InvalidFile
from mesh.product.duck import connect_memory, quoted
from mesh.product.event_lint import (
    NotAQuery,
    base_tables,
    clock_faults,
    nodes,
    parse,
    tables_of,
)
from mesh.product.state_needs import Needs, read_needs

__all__ = ["CHANGED", "StateQuery", "read_state_query"]

CHANGED = "changed_"
KEY_INPUT = re.compile(r"--\s*key input:\s*(\w+)\s*")
REMEDY = "a state port is a function of the data alone; see docs/products.md"

# Their result depends on the order in which rows are met, unless an order is given.
ORDERED = frozenset(
    {"any_value", "arbitrary", "array_agg", "first", "group_concat", "json_group_array", "last",
     "list", "listagg", "string_agg"}
)  # fmt: skip
# Adding doubles in another order gives another sum.
SUMS = frozenset({"avg", "fsum", "kahan_sum", "mean", "sum", "sumkahan"})
INEXACT = frozenset({"DOUBLE", "FLOAT"})
SUMMING = ("var", "stddev", "covar", "corr", "regr_", "sem", "skewness", "kurtosis", "entropy")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateQuery:
    """One state port's query, linted. *inputs* are the names of the inputs that it reads."""

    path: Path
    sql: str
    inputs: tuple[str, ...]
    keys_sql: str | None = None
    key_input: str | None = None
    needs: Needs | None = None


def read_state_query(path: Path, contract: Contract, sources: Mapping[str, Contract]) -> StateQuery:
    """Read and lint the query of a state port over *sources*, contracts by input name.

    Raises `InvalidFile` with every fault: what is not a function of the data (the clock,
    chance, sums of doubles, order where none is given, LIMIT), and what DuckDB cannot bind.
    """
    sql, tree = read_query(path)
    problems = [*clock_faults(tree), *limit_faults(tree), *unknown_inputs(tree, sources)]
    with connect_memory() as connection:
        make_inputs(connection, sources)
        problems += plan_faults(connection, sql) if not problems else []
        problems += column_faults(connection, sql, contract) if not problems else []
        keys_path = path.with_suffix(".keys.sql")
        keys = read_keys(connection, keys_path, contract) if keys_path.exists() else None
        needs = read_needs(connection, path.with_suffix(".needs.sql"), contract, sources)
    key_input = key_input_of(keys, keys_path, tree, contract=contract, sources=sources)
    if problems:
        raise InvalidFile([fault(path, each) for each in sorted(set(problems))])
    inputs = tuple(sorted(tables_of(tree)))
    return StateQuery(
        path=path, sql=sql, inputs=inputs, keys_sql=keys, key_input=key_input, needs=needs
    )


def read_query(path: Path) -> tuple[str, dict[str, object]]:
    """The text of one SELECT statement and DuckDB's syntax tree of it."""
    try:
        sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
        return sql, parse(sql)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile([fault(path, f"it cannot be read: {error}", "write it")]) from error
    except NotAQuery as error:
        raise InvalidFile([fault(path, str(error), "write one SELECT statement")]) from error


def read_keys(connection: duckdb.DuckDBPyConnection, path: Path, contract: Contract) -> str:
    """The text of a keys file that gives the output key's columns, in order and type."""
    sql, _ = read_query(path)
    wanted = [type_ for name, type_ in duckdb_columns(contract) if name in key_names(contract)]
    try:
        found = [row[1] for row in connection.execute(f"describe {sql}").fetchall()]
    except duckdb.Error as error:
        raise InvalidFile(
            [fault(path, f"DuckDB refuses it: {first_line(error)}", "mend it")]
        ) from error
    if [each.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for each in found] != wanted:
        problem = (
            f"it gives {', '.join(found)}, and the key of {contract.id} is {', '.join(wanted)}"
        )
        raise InvalidFile([fault(path, problem, "select the key's fields, in order, and no other")])
    return sql


def key_input_of(
    keys_sql: str | None,
    path: Path,
    tree: dict[str, object],
    *,
    contract: Contract,
    sources: Mapping[str, Contract],
) -> str | None:
    """The input that the keys file says carries the output key, checked.

    Narrowing it is right only if its key is the output key and the query reads it once.
    """
    found = KEY_INPUT.match(keys_sql or "")
    if found is None:
        return None
    name = found[1]
    source = sources.get(name)
    if source is None or key_names(source) != key_names(contract):
        problem = f"the key of {name} is not the key of {contract.id}"
        raise InvalidFile([fault(path, problem, "leave the line `-- key input:` out")])
    if list(base_tables(tree)).count(name) != 1 or has_window(tree):
        problem = f"{contract.id} reads {name} more than once, or has windows"
        raise InvalidFile([fault(path, problem, "leave the line `-- key input:` out")])
    return name


def limit_faults(tree: dict[str, object]) -> Iterator[str]:
    """What keeps some rows and leaves out others of the same right."""
    for node in nodes(tree):
        if node.get("type") in ("LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"):
            yield "LIMIT leaves out rows of the same right"
        if node.get("sample"):
            yield "a sample is chosen by chance"
        if node.get("type") == "DISTINCT_MODIFIER" and node.get("distinct_on_targets"):
            yield "DISTINCT ON takes whichever row comes first"


def unknown_inputs(tree: dict[str, object], sources: Mapping[str, Contract]) -> Iterator[str]:
    """Tables that are no input port."""
    for name in sorted(tables_of(tree) - set(sources)):
        yield f"it reads {name}, and there is no such input port"
    if not tables_of(tree):
        yield "it reads no input port"


def plan_faults(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[str]:
    """What the bound plan shows: aggregates whose result depends on the order of rows."""
    text = connection.execute("select json_serialize_plan(?::varchar)", [sql]).fetchall()[0][0]
    plan = json.loads(text)
    if plan.get("error"):
        yield f"DuckDB refuses it: {str(plan.get('error_message')).splitlines()[0]}"
        return
    for node in nodes(plan):
        if node.get("expression_class") in ("BOUND_AGGREGATE", "BOUND_WINDOW"):
            yield from aggregate_faults(node)


def column_faults(
    connection: duckdb.DuckDBPyConnection, sql: str, contract: Contract
) -> Iterator[str]:
    """Fields of the contract that the query does not give, and columns that are none."""
    found = {row[0] for row in connection.execute(f"describe {sql}").fetchall()}
    wanted = {each.name for each in contract.fields}
    for name in sorted(wanted - found):
        yield f"it gives no {name}, which is a field of {contract.id}"
    for name in sorted(found - wanted):
        yield f"it gives {name}, which is no field of {contract.id}"


def aggregate_faults(node: dict[str, object]) -> Iterator[str]:
    """Why one aggregate's result is not decided by the data."""
    name = str(node.get("name")).lower()
    children = node.get("children")
    types = {
        str(each["return_type"]["id"])
        for each in (children if isinstance(children, list) else [])
        if isinstance(each, dict) and isinstance(each.get("return_type"), dict)
    }
    is_summing = name in SUMS or name.startswith(SUMMING)
    if is_summing and types & INEXACT:
        yield f"{name}() of DOUBLE depends on the order of its rows: use DECIMAL"
    has_order = bool(node.get("order_bys") or node.get("orders") or node.get("arg_orders"))
    if name in ORDERED and not has_order:
        yield f"{name}() without ORDER BY depends on the order of its rows"


def make_inputs(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, Contract]) -> None:
    """Empty tables of every input, and of what changed in it, to bind queries against."""
    for name, contract in sources.items():
        columns = ", ".join(f"{quoted(n)} {type_}" for n, type_ in duckdb_columns(contract))
        for table in (name, CHANGED + name):
            connection.execute(f"create table {quoted(table)} ({columns})")


def has_window(tree: dict[str, object]) -> bool:
    """Whether the query has window functions."""
    return any(node.get("class") == "WINDOW" for node in nodes(tree))


def key_names(contract: Contract) -> list[str]:
    """The names of the key's fields, in order."""
    return [each.name for each in contract.key_fields]


def first_line(error: duckdb.Error) -> str:
    """The first line of DuckDB's message."""
    return str(error).splitlines()[0]


def fault(path: Path, problem: str, remedy: str = REMEDY) -> Fault:
    """A fault of the SQL file as a whole."""
    return Fault(path=path, line=0, problem=problem, remedy=remedy, rule="state-sql")
