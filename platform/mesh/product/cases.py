"""The cases beside a port's SQL: given rows, expected rows, run without a broker.

    cases:
      - name: a call may cross midnight
        given: {new_finished_calls: [{started_at: …, ended_at: …}]}
        expect: [{duration_s: 30}]

An event port maps its one `new_<input>`; a state port is given rows of its inputs by name.
Only the columns that a case names matter; the others are null, or are not compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.types import duckdb_columns
from mesh.contract.yamlfile import YamlFile, read_yaml
from mesh.errors import InvalidFile
from mesh.product.case_file import Row, fault, part, rows_at
from mesh.product.duck import connect_memory, quoted
from mesh.product.masked import TEST_KEY, with_masks
from mesh.product.plan import Output, Plan, StateOutput
from mesh.product.planned import Planned
from mesh.product.transform import CAUSE, Failure

__all__ = ["Outcome", "run_cases"]

Sources = Mapping[str, Contract]
AnyOutput = Output | StateOutput


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one case ended; *difference* is empty where it held."""

    port: str
    case: str
    difference: str

    @property
    def is_ok(self) -> bool:
        """Whether the case held."""
        return not self.difference


def run_cases(plan: Plan) -> list[Outcome]:
    """Run the cases of every output port of *plan*.

    Raises `InvalidFile` where a file of cases is not one.
    """
    outcomes = []
    for output in plan.outputs:
        path = output.port.sql_path.with_name(output.port.name.replace("-", "_") + ".test.yaml")
        if path.exists():
            outcomes += run_file(of_port(plan, output), path, sources_of(plan, output))
    return outcomes


def of_port(plan: Plan, output: AnyOutput) -> Sequence[AnyOutput]:
    """The port with each input that it maps; a state port has one query for all of them."""
    return [each for each in plan.events if each.port == output.port] or [output]


def sources_of(plan: Plan, output: AnyOutput) -> Sources:
    """The relations that a port's query reads, with their contracts."""
    if isinstance(output, Output):
        found = [each for each in plan.events if each.port == output.port]
        return {each.query.relation: each.source.contract for each in found}
    return {name: kept for name, kept in plan.kept.items() if name in output.query.inputs}


def run_file(outputs: Sequence[AnyOutput], path: Path, sources: Sources) -> list[Outcome]:
    """Run the cases of one port."""
    file = read_yaml(path)
    cases = file.document.get("cases")
    if not isinstance(cases, list) or not cases:
        raise InvalidFile(
            [fault(file, ("cases",), "it has no list `cases`", "see docs/products.md")]
        )
    with connect_memory() as connection:
        with_masks(TEST_KEY, connection)
        return [run_case(connection, outputs, file, n, sources) for n in range(len(cases))]


def run_case(
    connection: duckdb.DuckDBPyConnection,
    outputs: Sequence[AnyOutput],
    file: YamlFile,
    index: int,
    sources: Sources,
) -> Outcome:
    """Run one case."""
    case = part(file, ("cases", index), dict)
    name = str(case.get("name", f"case {index + 1}"))
    given = given_rows(file, index, name, sources)
    expected = rows_at(file, ("cases", index, "expect"))
    columns = sorted({column for row in expected for column in row})
    try:
        tables = {
            relation: typed(connection, given.get(relation, []), contract)
            for relation, contract in sources.items()
        }
        wanted = texts(connection, typed(connection, expected, outputs[0].contract), columns)
        runs = [run_output(connection, each, tables, sources) for each in outputs]
        found = [row for made, _ in runs for row in texts(connection, made, columns)]
    except duckdb.Error as error:
        told = str(error).splitlines()[0]
    else:
        failed = [f"the query fails for a row: {each.reason}" for _, f in runs for each in f]
        told = failed[0] if failed else difference(wanted, found)
    return Outcome(port=outputs[0].contract.id, case=name, difference=told)


def given_rows(file: YamlFile, index: int, name: str, sources: Sources) -> dict[str, list[Row]]:
    """The given rows by relation; an input of a state port that is not named has none."""
    place = ("cases", index, "given")
    given = part(file, place, dict)
    if not given or set(given) - set(sources):
        problem = f"{name!r} gives {', '.join(given) or 'nothing'}"
        raise InvalidFile([fault(file, place, problem, f"give rows of {', '.join(sources)}")])
    return {relation: rows_at(file, (*place, relation)) for relation in given}


def run_output(
    connection: duckdb.DuckDBPyConnection,
    output: AnyOutput,
    tables: Mapping[str, pa.Table],
    sources: Sources,
) -> tuple[pa.Table, list[Failure]]:
    """What a port makes of rows."""
    if isinstance(output, Output):
        return run_event(connection, output, tables[output.query.relation])
    return run_state(connection, output, tables, sources), []


def run_event(
    connection: duckdb.DuckDBPyConnection, output: Output, arrived: pa.Table
) -> tuple[pa.Table, list[Failure]]:
    """What an event port makes of rows, in their order."""
    causes = pa.array(range(arrived.num_rows), pa.int64())
    made, failures = output.query.run(Planned(connection), arrived.append_column(CAUSE, causes))
    return made.sort_by(CAUSE), failures


def run_state(
    connection: duckdb.DuckDBPyConnection,
    output: StateOutput,
    tables: Mapping[str, pa.Table],
    sources: Sources,
) -> pa.Table:
    """What a state port's whole query says, in order of key."""
    for name, rows in tables.items():
        # Arrow knows no UUID, and the query is bound to the inputs' own types.
        casts = ", ".join(
            f"cast({quoted(column)} as {type_}) as {quoted(column)}"
            for column, type_ in duckdb_columns(sources[name])
        )
        connection.register("_rows", rows)
        connection.execute(f"create or replace table {quoted(name)} as select {casts} from _rows")
        connection.unregister("_rows")
    keys = ", ".join(quoted(each.name) for each in output.contract.key_fields)
    return connection.sql(
        f"select * from ({output.query.sql}\n) q order by {keys}"
    ).to_arrow_table()


def difference(wanted: Sequence[Row], found: Sequence[Row]) -> str:
    """How the first row that differs does so; empty where all are equal."""
    for number, (want, have) in enumerate(zip_longest(wanted, found), 1):
        if want is None:
            return f"row {number} is one too many: {have}"
        if have is None:
            return f"row {number} is missing: {want}"
        wrong = [
            f"{name} is {have[name]!r}, expected {value!r}"
            for name, value in want.items()
            if have[name] != value
        ]
        if wrong:
            return f"row {number}: {'; '.join(wrong)}"
    return ""


def typed(
    connection: duckdb.DuckDBPyConnection, rows: Sequence[Row], contract: Contract
) -> pa.Table:
    """Rows of YAML as a table in the contract's types."""
    types = dict(duckdb_columns(contract))
    unknown = sorted({name for row in rows for name in row} - set(types))
    if unknown:
        raise duckdb.BinderException(f"{contract.id} has no field {', '.join(unknown)}")
    selected = ", ".join(
        f"cast({quoted(name)} {'::json' * is_nested(type_)} as {type_}) as {quoted(name)}"
        for name, type_ in types.items()
    )
    raw = pa.table(
        {name: pa.array([as_text(row.get(name)) for row in rows], pa.string()) for name in types}
    )
    connection.register("_given", raw)
    try:
        return connection.sql(f"select {selected} from _given").to_arrow_table()
    finally:
        connection.unregister("_given")


def is_nested(type_: str) -> bool:
    """Whether a DuckDB type is read from JSON."""
    return type_.endswith("]") or type_.startswith("STRUCT")


def as_text(value: object) -> str | None:
    """A YAML value as the text that DuckDB's casts read."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def texts(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, columns: Sequence[str]
) -> list[dict[str, object]]:
    """The rows of *table* with *columns* as text, which compares equal for equal values."""
    if not columns:
        return [{}] * table.num_rows
    connection.register("_table", table)
    try:
        selected = ", ".join(f"{quoted(each)}::varchar" for each in columns)
        rows = connection.execute(f"select {selected} from _table").fetchall()
    finally:
        connection.unregister("_table")
    return [dict(zip(columns, row, strict=True)) for row in rows]
