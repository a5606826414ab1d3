"""Rows of an event input whose message and tombstone are both gone from a compacted topic.

An erasure is seen as a tombstone, for as long as the topic keeps it; after that, by what is no
longer there. Not here: the erasure itself (`erasure`), and when it is worth a look (`life`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
from confluent_kafka import Message

from mesh.backbone.keys import keys
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.causes import CAUSES
from mesh.product.duck import quoted, table_exists
from mesh.product.intake import Arrival, Deletion
from mesh.product.kept import places_of
from mesh.product.plan import Input
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["Vanished"]

# What one batch erases.
PIECE = 10_000


class Vanished:
    """Compares what the storage holds of *source* with what its topic still has."""

    def __init__(self, storage: Storage, source: Input) -> None:
        self._connection, self._source = storage.connection, source
        self._names = [quoted(each.name) for each in source.contract.key_fields]
        types = dict(duckdb_columns(source.contract))
        self._types = [types[each.name] for each in source.contract.key_fields]

    def __enter__(self) -> Vanished:
        columns = [f"{n} {t}" for n, t in zip(self._names, self._types, strict=True)]
        self._connection.execute(
            f"create or replace temp table _present (_partition integer, {', '.join(columns)})"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.execute("drop table temp._present")

    def saw(self, messages: Sequence[Message]) -> None:
        """Take note of what is there: rows, and tombstones that are read in their turn."""
        texts = [(each.key() or b"").decode("utf-8", "replace") for each in messages]
        seen = pa.table({"_partition": [each.partition() for each in messages], "key": texts})
        several = len(self._names) > 1
        found = [f"try(key ->> {i})" if several else "key" for i in range(len(self._names))]
        casts = [f"try_cast({f} as {t})" for f, t in zip(found, self._types, strict=True)]
        self._connection.register("_seen", seen)
        self._connection.execute(
            f"insert into _present select _partition, {', '.join(casts)} from _seen"
        )
        self._connection.unregister("_seen")

    def found(self, starts: Mapping[int, int]) -> list[Arrival]:
        """What is gone, though it stands at or after *starts*, the first offsets there are."""
        begin = pa.table({"_partition": list(starts), "_start": list(starts.values())})
        self._connection.register("_begin", begin)
        same = " and ".join(f"i.{each} = p.{each}" for each in self._names)
        gone = self._connection.sql(
            f"select {', '.join(f'i.{each}' for each in self._names)}, i._partition, i._offset"
            f" from {self._rows()} i join _begin b"
            " on i._partition = b._partition and i._offset >= b._start"
            f" anti join _present p on i._partition = p._partition and {same}"
            " order by i._partition, i._offset"
        ).to_arrow_table()
        self._connection.unregister("_begin")
        pieces = [gone.slice(n, PIECE) for n in range(0, gone.num_rows, PIECE)]
        return [self._arrival(each) for each in pieces]

    def _rows(self) -> str:
        """SQL: the rows that are or were kept."""
        if table_exists(self._connection, "origins", self._source.name):
            return places_of(self._source)
        return f'"input".{quoted(self._source.name)}'

    def _arrival(self, gone: pa.Table) -> Arrival:
        """The tombstones that were never seen; each stands right after its row."""
        contract, now = self._source.contract, datetime.now(UTC)
        places = zip(gone["_partition"].to_pylist(), gone["_offset"].to_pylist(), strict=True)
        causes = [
            {
                # Not the topic itself, since ids of messages derive from places on it.
                "topic": f"{contract.topic}/forgotten",
                "partition": partition,
                "offset": offset + 1,
                "time": now,
                "trace": None,
            }
            for partition, offset in places
        ]
        schema = arrow_schema(contract)
        key_fields = [schema.field(each.name) for each in contract.key_fields]
        key_rows = gone.select([each.name for each in key_fields]).cast(pa.schema(key_fields))
        return Arrival(
            source=self._source,
            rows=schema.append(pa.field(CAUSE, pa.int64())).empty_table(),
            causes=pa.Table.from_pylist(causes, CAUSES),
            deletions=tuple(
                Deletion(cause=number, key=key)
                for number, key in enumerate(keys(key_rows, contract).to_pylist())
            ),
        )
