"""The SQL of an event port: which inputs it maps, what it may not hold, and running it.

An event port's result must not depend on how its input was cut into batches. So each row
comes from one row of `new_<input>`, which the query names by selecting `_cause` along:

    select call_id, ended_at - started_at as duration, _cause from new_finished_calls

Of several inputs there is a select each, joined by `union all`; each is a query by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.faults import Fault
from mesh.contract.sandbox import sandbox
from mesh.errors import InvalidFile, MeshError
from mesh.product.event_lint import NotAQuery, faults_of, parse, tables_of
from mesh.product.planned import Planned

__all__ = [
    "CAUSE",
    "MOST_BYTES",
    "MOST_ROWS",
    "EventQuery",
    "Failure",
    "TooMuch",
    "read_event_queries",
]

CAUSE = "_cause"
NEW = "new_"
LONGEST_REASON = 400
# What one Kafka transaction publishes well within its time-out, and what fits into memory.
MOST_ROWS, MOST_BYTES = 20_000, 16 * 1024 * 1024
READ_ROWS = 2048


class TooMuch(MeshError):
    """A batch makes more than one transaction publishes: it is to be taken in by halves."""


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

    def run(self, connection: Planned, batch: pa.Table) -> tuple[pa.Table, list[Failure]]:
        """The rows that *batch* (the input's columns and `_cause`) becomes, in no fixed order.

        A row for which the query fails is set aside: it must not stop the next. *connection*
        must have no open transaction, which the failure would end.
        Raises `InvalidFile` where the query fails whatever the rows are, `TooMuch` where more
        than one row makes more than a transaction takes; a row that does so alone is set aside.
        """
        try:
            return self._run(connection, batch), []
        except TooMuch as error:
            if batch.num_rows > 1:
                raise
            nothing = self.run_on_nothing(connection, batch.schema)
            return nothing, [Failure(row=batch, reason=str(error), rule="fan-out")]
        except duckdb.Error as error:
            nothing = self.run_on_nothing(connection, batch.schema)
            if batch.num_rows == 1:
                return nothing, [Failure(row=batch, reason=first_line(error))]
        half = batch.num_rows // 2
        first, failed_first = self.run(connection, batch.slice(0, half))
        second, failed_second = self.run(connection, batch.slice(half))
        return pa.concat_tables([first, second]), [*failed_first, *failed_second]

    def run_on_nothing(self, connection: Planned, schema: pa.Schema) -> pa.Table:
        """The query's empty result over no rows of *schema*.

        Raises `InvalidFile` where it fails even so, or does not select `_cause` along.
        """
        try:
            result = self._run(connection, schema.empty_table())
        except duckdb.Error as error:
            problem = f"DuckDB refuses it: {first_line(error)}"
            raise InvalidFile([fault(self.path, problem, "mend it")]) from error
        if CAUSE not in result.column_names:
            problem, remedy = f"its result has no {CAUSE}", f"select {CAUSE} along"
            raise InvalidFile([fault(self.path, problem, remedy)])
        return result

    def _run(self, connection: Planned, batch: pa.Table) -> pa.Table:
        with connection.holding(self.relation, batch):
            # Not as a whole: of one message, a query may make more than there is memory for.
            return bounded(connection.execute(self.sql).to_arrow_reader(READ_ROWS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A row, in a table of its own, for which the query failed, and why."""

    row: pa.Table
    reason: str
    rule: str = "sql"


def bounded(reader: pa.RecordBatchReader) -> pa.Table:
    """All that *reader* gives. Raises `TooMuch` as soon as it is more than a transaction takes."""
    found, count, size = [], 0, 0
    with reader:
        for each in reader:
            found.append(each)
            count, size = count + each.num_rows, size + each.nbytes
            if count > MOST_ROWS or size > MOST_BYTES:
                raise TooMuch(
                    f"it makes more than {MOST_ROWS} rows or {MOST_BYTES} bytes, which is what "
                    "one transaction publishes: let its writer send it in parts"
                )
    return pa.Table.from_batches(found, reader.schema)


def read_event_queries(path: Path) -> tuple[EventQuery, ...]:
    """Read and lint the query of an event port: one for each input that it maps.

    Raises `InvalidFile` with every fault: a select of more than one input, or anything whose
    result would depend on the batch (aggregates, joins, windows, limits, the clock, chance).
    """
    try:
        sql = path.read_text(encoding="utf-8").strip().removesuffix(";")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidFile([fault(path, f"it cannot be read: {error}", "write it")]) from error
    try:
        tree = parse(sql)
    except NotAQuery as error:
        raise InvalidFile([fault(path, str(error), "write one SELECT statement")]) from error
    parts = [*selects_of(tree)]
    found = [tables_of(part) for part in parts]
    problems = sorted({each for part in parts for each in faults_of(part)})
    for tables in found:
        if len(tables) != 1 or not next(iter(tables)).startswith(NEW):
            problems.append(f"it reads {', '.join(sorted(tables)) or 'nothing'}")
    names = [next(iter(tables), "").removeprefix(NEW) for tables in found]
    problems += [f"new_{each} is read twice" for each in {*names} if names.count(each) > 1]
    if problems:
        remedy = "an event port maps the rows of one new_<input> a select; see docs/products.md"
        raise InvalidFile([fault(path, each, remedy) for each in problems])
    texts = [sql] if len(parts) == 1 else [text_of(part) for part in parts]
    return tuple(
        EventQuery(path=path, sql=text, input_name=name)
        for text, name in zip(texts, names, strict=True)
    )


def selects_of(tree: dict[str, object]) -> Iterator[dict[str, object]]:
    """The trees of the selects that `union all` joins, in order; of any other query its own."""
    statement = tree["statements"][0]  # type: ignore[index]  # DuckDB's own form
    node = statement["node"]
    if not (node.get("setop_all") and node.get("setop_type") == "UNION"):
        yield tree
        return
    # What is said of the whole (an order, a part with a name) would be lost.
    if node["modifiers"] or node["cte_map"]["map"]:
        yield tree
        return
    for side in ("left", "right"):
        yield from selects_of({**tree, "statements": [{**statement, "node": node[side]}]})


def text_of(tree: dict[str, object]) -> str:
    """The SQL of a syntax tree."""
    with sandbox() as connection:
        found = connection.execute("select json_deserialize_sql(?::json)", [json.dumps(tree)])
        return str(found.fetchall()[0][0])


def fault(path: Path, problem: str, remedy: str) -> Fault:
    """A fault of the SQL file as a whole."""
    return Fault(path=path, line=0, problem=problem, remedy=remedy, rule="event-sql")


def first_line(error: duckdb.Error) -> str:
    """The first line of DuckDB's message, which may quote a whole value."""
    return str(error).splitlines()[0][:LONGEST_REASON]
