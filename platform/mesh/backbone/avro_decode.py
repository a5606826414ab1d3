r"""Avro datums to an Arrow table, many at once; what cannot be read is set aside with a reason.

Columns are read from all messages in step (`avro_columns`); the few messages that do not come
out to the last byte go to the strict reader (`avro_slow`), which has the last word.

    Decoder(writer_schema).decode([b"\x02", b"\xff"])
    # Decoded(table=…1 row…, good=[0], bad=[(1, 'field a: …')])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.avro_columns import read
from mesh.backbone.avro_cursor import PAD, Cursor, pad
from mesh.backbone.avro_schema import Node, compile_record, table_schema
from mesh.backbone.avro_slow import Damaged, read_row

__all__ = ["Decoded", "Decoder"]

_MOST_ROWS = 65_536
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a batch of payloads became. *good* are the positions of the table's rows."""

    table: pa.Table
    good: list[int]
    bad: list[tuple[int, str]]


class Decoder:
    """Decodes payloads that were written with one schema."""

    def __init__(self, schema: Mapping[str, object]) -> None:
        self._record = compile_record(schema)
        self._schema = table_schema(self._record)
        self._is_columnar = not _has_list_in_list(self._record, inside=False)

    def decode(self, payloads: Sequence[bytes] | pa.Array, skip: int = 0) -> Decoded:
        """Return the rows that *payloads* are, in order; *skip* bytes of framing stand before each.

        None of *payloads* is null.
        """
        tables, good, bad = [self._schema.empty_table()], list[int](), list[tuple[int, str]]()
        for start, stop in _parts(payloads):
            found = payloads[start:stop]
            array = found if isinstance(found, pa.Array) else pa.array(found, pa.binary())
            part = self._decode_part(array, skip)
            tables.append(part.table)
            good += [start + position for position in part.good] if start else part.good
            bad += [(start + position, reason) for position, reason in part.bad]
        return Decoded(table=pa.concat_tables(tables), good=good, bad=bad)

    def _decode_part(self, payloads: pa.Array, skip: int) -> Decoded:
        count = len(payloads)
        table, is_done = self._schema.empty_table(), np.zeros(count, np.bool_)
        if self._is_columnar:
            table, is_done = self._columnar(payloads, skip)
            if is_done.all():
                return Decoded(table=table, good=list(range(count)), bad=[])
        rows: dict[int, dict[str, object]] = {}
        bad: list[tuple[int, str]] = []
        for position in np.flatnonzero(~is_done).tolist():
            try:
                rows[position] = read_row(self._record, payloads[position].as_py()[skip:])
            except Damaged as damaged:
                bad.append((position, str(damaged)))
        return self._merged(table, np.flatnonzero(is_done), rows, bad)

    def _columnar(self, payloads: pa.Array, skip: int) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
        _, offsets, joined = payloads.buffers()
        bounds = np.frombuffer(offsets, np.int32)[payloads.offset :][: len(payloads) + 1]
        first, last = int(bounds[0]), int(bounds[-1])
        data = pad(np.frombuffer(joined or b"", np.uint8)[first:last])
        ends = bounds.astype(np.int64) - first + PAD
        cursor = Cursor(data, ends[:-1] + skip, ends[1:])
        columns = [read(node, cursor) for node in self._record.children]
        is_done = ~cursor.marked & (cursor.at == cursor.end)
        table = pa.Table.from_arrays(columns, schema=self._schema)
        return (table if is_done.all() else table.filter(pa.array(is_done))), is_done

    def _merged(
        self,
        table: pa.Table,
        places: npt.NDArray[np.int64],
        rows: dict[int, dict[str, object]],
        bad: list[tuple[int, str]],
    ) -> Decoded:
        if rows:
            others = pa.Table.from_pylist(list(rows.values()), schema=self._schema)
            places = np.concatenate([places, np.fromiter(rows, np.int64, len(rows))])
            order = np.argsort(places)
            table, places = pa.concat_tables([table, others]).take(pa.array(order)), places[order]
        return Decoded(table=table, good=places.tolist(), bad=bad)


def _parts(payloads: Sequence[bytes] | pa.Array) -> list[tuple[int, int]]:
    """Cut the batch so that no buffer comes near 2 GiB, where Arrow's offsets end."""
    is_array = isinstance(payloads, pa.Array)
    sizes = pc.binary_length(payloads).to_pylist() if is_array else list(map(len, payloads))
    if len(sizes) <= _MOST_ROWS and sum(sizes) <= _MOST_BYTES:
        return [(0, len(sizes))] if sizes else []
    parts, start, total = [], 0, 0
    for position, size in enumerate(sizes):
        total += size
        if position > start and (total > _MOST_BYTES or position - start >= _MOST_ROWS):
            parts.append((start, position))
            start, total = position, size
    if start < len(sizes):
        parts.append((start, len(sizes)))
    return parts


def _has_list_in_list(node: Node, *, inside: bool) -> bool:
    # Read in rounds, lists in lists would need rounds times rounds: the strict reader is better.
    is_list = node.kind == "array"
    if is_list and inside:
        return True
    return any(_has_list_in_list(child, inside=inside or is_list) for child in node.children)
