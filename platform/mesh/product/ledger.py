"""What a system has sent already: the id and a digest of the content of each record.

A table in the feed's own storage, so that it changes in the same transaction as the outbox.
Not here: the storage and the sending (`feed`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from confluent_kafka import Message

__all__ = ["DIGEST", "LINE", "Judgement", "Ledger"]

LINE, DIGEST = "_line", "_digest"
SCHEMA_HEADER_BYTES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Row numbers of a batch: what is *new*, and what was sent before with other content."""

    new: list[int]
    changed: list[int]


class Ledger:
    """The ledger in the storage behind *connection*."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        connection.execute("create table if not exists main.fed (id uuid, content uuid)")
        connection.execute("create temp table occurrences (digest varchar, count_seen bigint)")

    def record(self, outbox: pa.Table) -> Judgement:
        """Judge the messages of *outbox*, and record the new ones in the open transaction."""
        sent = pa.table(
            {
                "row": pa.array(range(outbox.num_rows), pa.int64()),
                "id": [digest(key) for key in outbox["key"].to_pylist()],
                # The header names the schema, which may be registered anew under another id.
                "content": [content_of(value) for value in outbox["value"].to_pylist()],
            }
        )
        self._connection.register("_sent", sent)
        try:
            self._connection.execute(
                "create or replace temp table judged as"
                " select s.row, s.id::uuid as id, s.content::uuid as content,"
                " coalesce(f.content, first_value(s.content::uuid) over same_id) as held,"
                " f.id is null and row_number() over same_id = 1 as is_new"
                " from _sent s left join main.fed f on f.id = s.id::uuid"
                " window same_id as (partition by s.id order by s.row)"
            )
        finally:
            self._connection.unregister("_sent")
        self._connection.execute("insert into main.fed select id, content from judged where is_new")
        return Judgement(new=self._rows("is_new"), changed=self._rows("content <> held"))

    def learn(self, chunks: Iterable[Sequence[Message]]) -> None:
        """Record what another ledger has sent, in *chunks*; forget what never was sent."""
        waiting = self._connection.execute('select "key" from mesh.outbox').fetchall()
        self._insert_each("_forgotten", [(digest(bytes(key)), None) for (key,) in waiting])
        self._connection.execute(
            "delete from main.fed where id in (select id::uuid from _forgotten)"
        )
        for chunk in chunks:
            # An erased record is known by its key alone.
            found = [
                (digest(message.key() or b""), content_of(message.value())) for message in chunk
            ]
            self._insert_each("_found", found)
            self._connection.execute(
                "insert into main.fed select id::uuid, last(content)::uuid from _found"
                " where id::uuid not in (select id from main.fed) group by id"
            )

    def _insert_each(self, table: str, rows: Sequence[tuple[str, str | None]]) -> None:
        """A temporary table of ids and contents."""
        arrow = pa.table(
            {
                "id": pa.array([id_ for id_, _ in rows], pa.string()),
                "content": pa.array([content for _, content in rows], pa.string()),
            }
        )
        self._connection.register("_each", arrow)
        try:
            self._connection.execute(f"create or replace temp table {table} as from _each")
        finally:
            self._connection.unregister("_each")

    def derived_keys(self, lines: pa.Table) -> pa.Array:
        """A key for each line from its content and from how often it has come before.

        So two equal lines of a file are two events, and the same file again is the same
        events. Only for one file a ledger's life.
        """
        self._connection.register("_lines", lines.select([LINE, DIGEST]))
        try:
            numbered = self._connection.sql(
                f"select l.{DIGEST} || '/' || (coalesce(o.count_seen, 0)"
                f" + row_number() over (partition by l.{DIGEST} order by l.{LINE})) as name"
                f" from _lines l left join occurrences o on o.digest = l.{DIGEST}"
                f" order by l.{LINE}"
            ).to_arrow_table()
            self._connection.execute(
                "create or replace temp table occurrences as"
                " select digest, sum(n)::bigint as count_seen from ("
                " select digest, count_seen as n from occurrences union all"
                f" select {DIGEST}, 1 from _lines) group by digest"
            )
        finally:
            self._connection.unregister("_lines")
        return pa.array([uuid8(name) for name in numbered["name"].to_pylist()], pa.string())

    def _rows(self, condition: str) -> list[int]:
        """The numbers of the judged rows for which *condition* holds."""
        rows = self._connection.execute(f"select row from judged where {condition} order by row")
        return [row for (row,) in rows.fetchall()]


def content_of(value: bytes | None) -> str | None:
    """A digest of a record, without the header that names its schema."""
    return None if value is None else digest(value[SCHEMA_HEADER_BYTES:])


def digest(text: bytes) -> str:
    """128 bits of BLAKE2b (RFC 7693), as 32 hexadecimal digits."""
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def uuid8(name: str) -> str:
    """A UUID of version 8 (RFC 9562, section 5.8) made of a digest of *name*."""
    digits = digest(name.encode())
    marked = f"{digits[:12]}8{digits[13:16]}8{digits[17:]}"
    return "-".join((marked[:8], marked[8:12], marked[12:16], marked[16:20], marked[20:]))
