"""SQL over rows in Arrow, planned once: of a small batch, planning takes more than computing.

    planned = Planned(connect_memory())
    with planned.holding("new_calls", rows):
        result = planned.execute("select call_id from new_calls").to_arrow_table()

A relation stays registered, and DuckDB asks for its rows each time that a statement runs.
Not here: what the statements are, and their transactions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
from pyarrow.dataset import InMemoryDataset, Scanner, dataset

__all__ = ["Planned"]


class Planned:
    """Runs statements on one connection, each of them again and again."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._held: dict[str, Held] = {}
        self._names: dict[str, str] = {}

    @contextmanager
    def holding(self, relation: str, rows: pa.Table) -> Iterator[None]:
        """For the time of a block, *relation* is *rows*; else it is empty."""
        held = self._held.get(relation)
        # A plan takes the bytes for what they were when it was made.
        if held is None or not held.nothing.schema.equals(rows.schema):
            held = Held(rows.schema)
            self._names.clear()
            self.connection.register(relation, held)
            self._held[relation] = held
        held.rows = rows
        try:
            yield
        finally:
            held.rows = held.nothing

    def execute(self, sql: str, *values: int | str) -> duckdb.DuckDBPyConnection:
        """Run one statement with *values* for $1, $2, …; the connection, to fetch from."""
        name = self._names.get(sql)
        if name is None:
            # In place of what had the name before, if anything.
            name = f"planned_{len(self._names)}"
            self.connection.execute(f"prepare {name} as {sql}")
            self._names[sql] = name
        # DuckDB takes them here as text of SQL alone.
        given = ", ".join(map(literal, values))
        return self.connection.execute(f"execute {name}({given})" if given else f"execute {name}")

    def forget(self) -> None:
        """Begin anew: a transaction that is rolled back takes its relations with it."""
        self._held.clear()
        self._names.clear()


class Held(InMemoryDataset):  # type: ignore[misc]  # pyarrow has no types
    """Rows that DuckDB asks for as it asks a data set of pyarrow's; all have one schema.

    Of any other table in Arrow, DuckDB has pyarrow make a plan and run it in threads of its own,
    at each scan, which takes longer than a small batch's query.
    """

    def __init__(self, schema: pa.Schema) -> None:
        super().__init__(schema.empty_table())
        self.nothing = self.rows = schema.empty_table()

    def scanner(self, columns: Sequence[str] | None = None, **options: Any) -> Scanner | Scan:
        """What gives these *columns* of the rows; with *options*, a filter say, pyarrow's own."""
        if options:
            return dataset(self.rows).scanner(columns=columns, **options)
        return Scan(self.rows if columns is None else self.rows.select(columns))


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of *rows* as they are."""

    rows: pa.Table

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as a stream."""
        return self.rows.to_reader()


def literal(value: int | str) -> str:
    """*value* as SQL has it."""
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
