"""Exports a port: its topic, up to some offsets, becomes a batch port's file.

    rows, offsets = export(reading, staged, at)

Of a state port the last row of each key, in order of its key; of an event port every row that was
not erased, in order of partition and offset. So equal offsets give equal files. Rows are staged in
a file beside the result, so that memory does not grow with the port. Not here: reading the topic
(`topic`), and state ports before their end, which compaction has thinned out (`mesh.cli.export`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
from confluent_kafka import Message

from mesh.audit.origin import id_text
from mesh.batch.parquet import About, write
from mesh.batch.topic import Reading
from mesh.contract.model import Contract
from mesh.errors import WrongUse
from mesh.ports.pages import row_schema
from mesh.ports.snapshot import translated
from mesh.product.duck import ORIGIN, quoted
from mesh.product.rows import RowReader
from mesh.sql.table import Table

__all__ = [
    "Exported",
    "Places",
    "about_of",
    "export",
    "is_at_end",
    "offsets_in",
    "schema_for",
    "sorted_rows",
]

MEMORY = "400MB"
# Of one group of rows in the file: few enough to be held, enough to be packed well.
GROUP_ROWS = 50_000
SchemaOf = Callable[[int], Mapping[str, object] | None]
Places = Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file that was written: how many rows it has, and what it is of."""

    path: Path
    rows: int
    about: About


def offsets_in(text: str, reading: Reading) -> Places:
    """The next offset of each partition, written as `0:120,1:95`. Raises `WrongUse`."""
    try:
        pairs = [each.split(":") for each in text.split(",")]
        found = {int(partition): int(offset) for partition, offset in pairs}
    except ValueError:
        found = {}
    if found.keys() != reading.ends.keys():
        known = ", ".join(map(str, sorted(reading.ends)))
        raise WrongUse(
            f"{text[:80]!r} is no offsets: write the next one of each partition ({known}),"
            " as 0:120,1:95"
        )
    for partition, offset in found.items():
        begin, end = reading.begins[partition], reading.ends[partition]
        if offset > end:
            raise WrongUse(f"{reading.topic} [{partition}] ends at {end}, which is before {offset}")
        if offset < begin:
            raise WrongUse(
                f"{reading.topic} [{partition}] begins at {begin}: what was before {offset} is over"
            )
    return found


def is_at_end(at: Places, reading: Reading) -> bool:
    """Whether nothing of the topic comes after *at*."""
    return all(offset >= reading.ends[partition] for partition, offset in at.items())


def schema_for(contract: Contract) -> pa.Schema:
    """The columns of a port's file: those that its HTTP port gives."""
    return row_schema(contract, [each.name for each in contract.fields])


def export(
    contract: Contract,
    reading: Reading,
    path: Path,
    *,
    schema_of: SchemaOf,
    at: Places | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Exported:
    """Write the rows of *contract* before *at*, or before the topic's end, to *path*.

    *report* is told how many messages were read. Raises a `BackboneError` where Kafka is away.
    """
    reader = RowReader(contract, schema_of)
    with staging(contract, reading, path, reader) as table:
        count = 0
        for messages in reading.messages():
            if due := [each for each in messages if counts(each, at)]:
                table.take(due)
            count += len(messages)
            report(count)
        about = about_of(contract, reading, at or reading.ends, reader.schema_ids)
        with translated():
            rows = write(path, schema_for(contract), table_rows(table), about.metadata())
    return Exported(path=path, rows=rows, about=about)


def about_of(
    contract: Contract,
    reading: Reading,
    at: Places,
    schema_ids: tuple[int, ...] = (),
    source: str = "topic",
) -> About:
    """What a file of the rows before *at* is of."""
    return About(
        port=contract.id,
        version=contract.version,
        kind=contract.kind,
        topic=contract.topic,
        topic_id=id_text(reading.id),
        schema_ids=schema_ids,
        offsets=named(contract, at),
        begins=named(contract, reading.begins),
        source=source,
    )


def counts(message: Message, at: Places | None) -> bool:
    """Whether a message makes the rows before *at*: what is erased since is so at any offset."""
    if at is None or message.value() is None:
        return True
    return (message.offset() or 0) < at[message.partition() or 0]


@contextmanager
def staging(contract: Contract, reading: Reading, path: Path, reader: RowReader) -> Iterator[Table]:
    """A table of the port in a folder beside *path*, which is gone afterwards."""
    with (
        TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder,
        duckdb.connect() as connection,
    ):
        spilled = folder.replace("'", "''")
        for setting in (
            "TimeZone = 'UTC'",
            "threads = 1",
            f"memory_limit = '{MEMORY}'",
            f"temp_directory = '{spilled}'",
        ):
            connection.execute(f"set {setting}")
        table = Table(connection, contract, Path(folder) / "rows.duckdb", reading.id, reader)
        try:
            yield table
        finally:
            table.close()


def table_rows(table: Table) -> Iterator[pa.Table]:
    """The rows of a table in their order, piece by piece."""
    contract, schema = table.contract, schema_for(table.contract)
    columns = ", ".join(map(quoted, schema.names))
    order = ", ".join(map(quoted, order_of(contract)))
    found = table.source.order(order).project(columns)
    for batch in found.to_arrow_reader(GROUP_ROWS):
        yield pa.Table.from_batches([batch]).cast(schema)


def order_of(contract: Contract) -> Sequence[str]:
    """The columns by which rows are ordered."""
    if contract.kind == "event":
        return [name for name, _ in ORIGIN]
    return [each.name for each in contract.key_fields]


def sorted_rows(contract: Contract, rows: pa.Table) -> pa.Table:
    """Rows of a state port, which came in another order, as a file has them."""
    return rows.cast(schema_for(contract)).sort_by(
        [(each, "ascending") for each in order_of(contract)]
    )


def named(contract: Contract, places: Places) -> Mapping[str, Mapping[str, int]]:
    """Offsets as doors say them."""
    return {contract.topic: {str(each): places[each] for each in sorted(places)}}
