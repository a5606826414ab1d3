"""Reads files that nobody here wrote as rows of a contract, by a declared mapping.

    mapping = load_mapping(Path("calls.yaml"), contract)
    for batch in read_file(Path("calls.csv"), mapping, contract):
        batch.table, batch.bad

The form of a mapping: `mapping_document`. Not here: the contract's rules, and keys that are not
mapped, which whoever feeds derives from `_digest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from mesh.contract.arrays import as_typed
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema
from mesh.product.mapping_document import Mapping, load_mapping
from mesh.product.mapping_header import opened
from mesh.product.mapping_records import Record, shown
from mesh.product.mapping_sql import RAW, Source, raw_name, select

__all__ = ["BadLine", "FileBatch", "Mapping", "load_mapping", "read_file"]

_BATCH_CHARS = 16 * 1024 * 1024  # however long the lines are, a batch fits in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    r"""A record that became no row; *line* counts from 1, *raw* has `\xNN` for an undecodable byte.

    The line ending is taken off, and a line beyond `MAX_RECORD_CHARS` is cut there.
    """

    line: int
    raw: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBatch:
    """Some lines of a file, in order: what became rows, and what did not.

    *table* has the contract's fields (a key that is not mapped is absent), `_line`, and `_digest`:
    32 hexadecimal digits of all the values that the record has in the file, whatever the mapping,
    the delimiter, the quotes and the order of the columns.
    """

    table: pa.Table
    bad: tuple[BadLine, ...]


def read_file(
    path: Path, mapping: Mapping, contract: Contract, *, batch_rows: int = 20_000
) -> Iterator[FileBatch]:
    """Yield the lines of the CSV file at *path*, in batches of at most *batch_rows*.

    Raises `InvalidFile`, with the first batch, where the file cannot be opened, is empty, is not
    CSV, or lacks a column of the mapping.
    """
    with opened(path, mapping) as file, duckdb.connect(config={"threads": 1}) as connection:
        reader = _Reader(connection, file.names, mapping, contract)
        for chunk in _chunks(file.records, batch_rows):
            yield reader.batch(chunk)


def _chunks(read: Iterable[Record], most: int) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    size = 0
    for record in read:
        chunk.append(record)
        size += len(record.raw)
        if len(chunk) >= most or size >= _BATCH_CHARS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


class _Reader:
    """Turns records into batches: text by column into DuckDB, typed columns out of it."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        names: tuple[str, ...],
        mapping: Mapping,
        contract: Contract,
    ) -> None:
        self._width = len(names)
        self._places = [names.index(column) for column in mapping.columns]
        # In the order of the names, so that a file whose columns moved has the same digests.
        self._by_name = sorted(range(len(names)), key=lambda place: (names[place], place))
        self._schema = _schema(mapping, contract)
        self._query = select(_all_sources(mapping, contract), mapping.columns)
        self._connection = connection
        connection.execute("set TimeZone = 'UTC'")

    def batch(self, chunk: list[Record]) -> FileBatch:
        """Return the batch of one *chunk* of records."""
        raw: dict[int, Record] = {}
        bad: list[BadLine] = []
        for record in chunk:
            reason = record.reason or self._misfit(record)
            if reason:
                bad.append(_bad(record, reason))
            else:
                raw[record.line] = record
        table = self._typed(list(raw.values()))
        reasons = table["_reason"]
        is_good = pc.equal(reasons, "")
        refused = table.select(["_line", "_reason"]).filter(pc.invert(is_good)).to_pylist()
        bad.extend(_bad(raw[row["_line"]], row["_reason"]) for row in refused)
        rows = as_typed(table.filter(is_good), self._schema)
        return FileBatch(table=rows, bad=tuple(sorted(bad, key=lambda one: one.line)))

    def _misfit(self, record: Record) -> str:
        count = len(record.values)
        if count == self._width:
            return ""
        return f"the line has {count} values, and the file has {self._width} columns"

    def _typed(self, good: list[Record]) -> pa.Table:
        columns = {
            "_line": pa.array([record.line for record in good], pa.int64()),
            "_digest": pa.array([self._digest(record.values) for record in good], pa.string()),
        }
        for position, place in enumerate(self._places):
            values = [record.values[place] for record in good]
            columns[raw_name(position)] = pa.array(values, pa.string())
        self._connection.register(RAW, pa.table(columns))
        return self._connection.execute(self._query).to_arrow_table()

    def _digest(self, values: list[str]) -> str:
        # No value holds a NUL: such a line is bad.
        text = "\x00".join([values[place] for place in self._by_name])
        return blake2b(text.encode(), digest_size=16).hexdigest()


def _all_sources(mapping: Mapping, contract: Contract) -> dict[str, Source]:
    """Return a source for each field of the table: what is not mapped is null."""
    return {
        field.name: mapping.sources.get(field.name, Source(type=field.type, constant="null"))
        for field in contract.fields
        if field.name in mapping.sources or not field.key_position
    }


def _schema(mapping: Mapping, contract: Contract) -> pa.Schema:
    whole = arrow_schema(contract)
    fields = [whole.field(name) for name in _all_sources(mapping, contract)]
    own = [
        pa.field("_line", pa.int64(), nullable=False),
        pa.field("_digest", pa.string(), nullable=False),
    ]
    return pa.schema(fields + own)


def _bad(record: Record, reason: str) -> BadLine:
    return BadLine(line=record.line, raw=shown(record.raw).rstrip("\r\n"), reason=reason)
