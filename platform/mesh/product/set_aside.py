"""What a product remembers of the messages it has set aside: were they replayed, or deleted since.

A table in the storage, written in the transactions of the batches. The bytes are not in it, and
of the key a digest only: they stand on the rejected topics, of which it is a cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from mesh.product.duck import table_exists, transaction
from mesh.product.rejection import Rejection
from mesh.product.retry import Place

__all__ = ["Kept", "SetAside", "digest"]

# Longer than a rejected topic keeps what could be replayed.
REMEMBERED = timedelta(days=8)
TABLE = """
create table mesh.set_aside (
    port varchar, topic varchar, "partition" integer, "offset" bigint, key_digest varchar,
    is_replayed boolean, is_deleted boolean, remembered_at timestamptz
)
"""
# A storage from before this table may have set aside what it does not remember.
UNREAD = "insert into mesh.set_aside (port) values ('')"
ROWS = pa.schema(
    [
        ("port", pa.string()),
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("key_digest", pa.string()),
        ("is_replayed", pa.bool_()),
        ("is_deleted", pa.bool_()),
        ("remembered_at", pa.timestamp("us", tz="UTC")),
    ]
)
SAME = (
    's.port = r.port and s.topic = r.topic and s."partition" = r."partition"'
    ' and s."offset" = r."offset"'
)
UNKNOWN = f"where not exists (from mesh.set_aside s where {SAME})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One message that the contract *port* has set aside. *key_digest* is None if it has no key."""

    port: str
    origin: Place
    key_digest: str | None = None
    is_replayed: bool = False
    is_deleted: bool = False


class SetAside:
    """The table in the storage of *connection*; all but `replace` in the caller's transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        if not table_exists(connection, "mesh", "set_aside"):
            with transaction(connection):
                connection.execute(TABLE)
                connection.execute(UNREAD)

    @property
    def is_whole(self) -> bool:
        """Whether all is in it that stands on the rejected topics."""
        unread = "select 1 from mesh.set_aside where port = ''"
        return not self._connection.execute(unread).fetchall()

    def replace(self, kept: Iterable[Kept]) -> None:
        """Remember *kept* in place of all else."""
        self._connection.execute("delete from mesh.set_aside")
        self._insert(list(kept))

    def add(self, port: str, rejections: Sequence[Rejection]) -> None:
        """Remember that *port* has set aside *rejections*; those of replays are known."""
        new = {
            (each.topic, each.partition, each.offset): digest(each.key)
            for each in rejections
            if each.attempt is None
        }
        if not new:
            return
        horizon = datetime.now(UTC) - REMEMBERED
        self._connection.execute("delete from mesh.set_aside where remembered_at < ?", [horizon])
        self._insert(
            [Kept(port=port, origin=place, key_digest=key) for place, key in new.items()],
            UNKNOWN,
        )

    def bury(self, port_topic: str, deletions: Sequence[tuple[int, int, bytes]]) -> None:
        """Note that later tombstones, as partition, offset and canonical key, have come."""
        gone = pa.table(
            {
                "partition": pa.array([each[0] for each in deletions], pa.int32()),
                "offset": pa.array([each[1] for each in deletions], pa.int64()),
                "key_digest": pa.array([digest(each[2]) for each in deletions], pa.string()),
            }
        )
        self._with(
            gone,
            "update mesh.set_aside s set is_deleted = true from _kept r where s.topic = ? and"
            ' s.key_digest = r.key_digest and s."partition" = r."partition"'
            ' and s."offset" < r."offset"',
            [port_topic],
        )

    def has_of(self, topic: str) -> bool:
        """Whether any message of *topic* is set aside and not deleted since."""
        text = "select 1 from mesh.set_aside where topic = ? and not is_deleted limit 1"
        return bool(self._connection.execute(text, [topic]).fetchall())

    def find(self, port: str, places: Iterable[Place]) -> Mapping[Place, Kept]:
        """What is remembered of the messages at *places*."""
        rows = table_of([Kept(port=port, origin=each) for each in places])
        found = self._with(
            rows,
            "select s.topic, s.partition, s.offset, bool_or(s.is_replayed), bool_or(s.is_deleted)"
            f" from mesh.set_aside s join _kept r on {SAME} group by all",
        )
        return {
            (topic, partition, offset): Kept(
                port=port,
                origin=(topic, partition, offset),
                is_replayed=is_replayed,
                is_deleted=is_deleted,
            )
            for topic, partition, offset, is_replayed, is_deleted in found
        }

    def replayed(self, port: str, places: Sequence[Place]) -> None:
        """Remember that the messages at *places* were taken in after all."""
        known = [Kept(port=port, origin=each, is_replayed=True) for each in places]
        self._with(
            table_of(known),
            f"update mesh.set_aside s set is_replayed = true from _kept r where {SAME}",
        )
        self._insert(known, UNKNOWN)

    def _insert(self, kept: Sequence[Kept], condition: str = "") -> None:
        if kept:
            text = f"insert into mesh.set_aside by name select * from _kept r {condition}"
            self._with(table_of(kept), text)

    def _with(
        self, rows: pa.Table, text: str, arguments: Sequence[object] = ()
    ) -> list[tuple[Any, ...]]:
        """The result of a statement over *rows* as `_kept`."""
        self._connection.register("_kept", rows)
        try:
            return self._connection.execute(text, list(arguments)).fetchall()
        finally:
            self._connection.unregister("_kept")


def table_of(kept: Sequence[Kept]) -> pa.Table:
    """*kept* as rows of the table."""
    now = datetime.now(UTC)
    rows = [
        {
            "port": each.port,
            "topic": each.origin[0],
            "partition": each.origin[1],
            "offset": each.origin[2],
            "key_digest": each.key_digest,
            "is_replayed": each.is_replayed,
            "is_deleted": each.is_deleted,
            "remembered_at": now,
        }
        for each in kept
    ]
    return pa.Table.from_pylist(rows, ROWS)


def digest(key: bytes | None) -> str | None:
    """What is remembered of a key, which may be personal."""
    return None if key is None else hashlib.sha256(key).hexdigest()
