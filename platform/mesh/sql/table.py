"""The rows of one port in a file of its own, taken from its topic with the offsets they go to.

An event port's rows are appended, a state port has the last row of each key; a tombstone deletes.
What retention took from the topic goes here too. Not here: copies for workers (`shelf`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from confluent_kafka import Message

from mesh.backbone.keys import is_text
from mesh.contract.model import Contract
from mesh.product.duck import ORIGIN, batch_error, columns_of, quoted, storage_error, transaction
from mesh.product.rows import PLACE, RowReader
from mesh.product.state_input import put_batch
from mesh.product.transform import CAUSE
from mesh.sql.session import ROWS

__all__ = ["Table"]

MADE = """
create schema {db}.mesh;
create table {db}.mesh.port (topic_id blob, columns varchar);
create table {db}.mesh.offsets ("partition" integer, next bigint);
create table {db}.main.{rows} ({columns});
"""


class Table:
    """The port of *contract*, kept at *path* and opened in *connection*."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        path: Path,
        topic_id: bytes,
        reader: RowReader,
    ) -> None:
        self.contract, self.path, self.topic_id = contract, path, topic_id
        self._connection, self._reader = connection, reader
        self._db = quoted(f"{contract.id}@{topic_id.hex()}")
        self._rows = f"{self._db}.main.{ROWS}"
        self._columns = columns_of("input" if contract.kind == "event" else "main", contract)
        # Counts what was done to the rows, so that a copy knows whether it is still the newest.
        self.changes = 0
        # Another one where rows went without having been replaced: what came since is not all then.
        self.era = object()
        self.offsets: dict[int, int] = {}
        self._open()

    @property
    def source(self) -> duckdb.DuckDBPyRelation:
        """Its rows, as a query may go on from them."""
        return self._connection.sql(f"select * from {self._rows}")

    def _open(self) -> None:
        """Open what is there of this topic and these columns, or begin anew."""
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in self._columns)
        is_kept = False
        try:
            self._attach()
            known = self._connection.execute(f"select * from {self._db}.mesh.port").fetchall()
            is_kept = known == [(self.topic_id, columns)]
        except duckdb.Error:
            # Nothing there, or not as we make it: all of it is on the topic.
            is_kept = False
        if is_kept:
            found = self._connection.execute(f"select * from {self._db}.mesh.offsets").fetchall()
            self.offsets = dict(found)
            return
        self.close()
        for path in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            path.unlink(missing_ok=True)
        try:
            self._attach()
            self._connection.execute(MADE.format(db=self._db, rows=ROWS, columns=columns))
            values = [self.topic_id, columns]
            self._connection.execute(f"insert into {self._db}.mesh.port values (?, ?)", values)
        except duckdb.Error as error:
            raise storage_error(self.path, error) from error

    def _attach(self) -> None:
        path = str(self.path).replace("'", "''")
        self._connection.execute(f"attach '{path}' as {self._db}")

    def close(self) -> None:
        """Close the file."""
        self._connection.execute(f"detach database if exists {self._db}")

    def take(self, messages: Sequence[Message]) -> None:
        """Take in messages, in order within each partition, and their offsets with them.

        Raises `StorageError`; nothing of them is kept then.
        """
        rows = self._reader.rows(pa.array([each.value() for each in messages], pa.binary()))
        rows = rows.rename_columns([CAUSE if name == PLACE else name for name in rows.column_names])
        offsets = {each.partition() or 0: (each.offset() or 0) + 1 for each in messages}
        try:
            with transaction(self._connection):
                self._apply(with_origins(rows, messages, self._columns), tombstones_of(messages))
                self._note(offsets)
        except duckdb.Error as error:
            raise batch_error(self.path, error) from error
        self.offsets |= offsets
        self.changes += 1

    def _apply(self, rows: pa.Table, tombstones: pa.Table) -> None:
        """Bring the rows up to a batch: of state the last row a key, of events every row."""
        names = [quoted(each.name) for each in self.contract.key_fields]
        same = " and ".join(f"t.{key} = k.{key}" for key in names)
        is_state, is_last = self.contract.kind == "state", ""
        if is_state or tombstones.num_rows:
            # Of events, only what a tombstone names goes, and only if it came before.
            last = rows if is_state else rows.slice(0, 0)
            put_batch(self._connection, self.contract, rows=last, tombstones=tombstones)
            self._connection.execute(f"delete from {self._rows} t using _last k where {same}")
            if not is_state:
                self.era = object()
            is_last = f"where not exists (from _last k where {same} and k.{CAUSE} > t.{CAUSE})"
        self._connection.register("_arrived", rows)
        try:
            self._connection.execute(
                f"insert into {self._rows} by name"
                f" select t.* exclude ({CAUSE}) from _arrived t {is_last}"
            )
        finally:
            self._connection.unregister("_arrived")

    def _note(self, offsets: Mapping[int, int]) -> None:
        """Keep the offsets that come next, in the open transaction."""
        table = f"{self._db}.mesh.offsets"
        for partition, offset in offsets.items():
            self._connection.execute(f'delete from {table} where "partition" = ?', [partition])
            self._connection.execute(f"insert into {table} values (?, ?)", [partition, offset])

    def forget(self, partition: int, low: int) -> None:
        """Drop rows of an event port whose messages have gone from the topic by retention."""
        if self.contract.kind != "event":
            return
        try:
            found = self._connection.execute(
                f"delete from {self._rows} where _partition = ? and _offset < ?", [partition, low]
            ).fetchall()
        except duckdb.Error as error:
            raise batch_error(self.path, error) from error
        if found[0][0]:
            self.changes += 1
            self.era = object()

    def checkpoint(self) -> None:
        """Have all of it in its file, so that the file can be copied."""
        try:
            self._connection.execute(f"force checkpoint {self._db}")
        except duckdb.Error as error:
            raise batch_error(self.path, error) from error

    def count(self) -> int:
        """How many rows it has."""
        return int(self._connection.execute(f"select count(*) from {self._rows}").fetchall()[0][0])


def with_origins(
    rows: pa.Table, messages: Sequence[Message], columns: Sequence[tuple[str, str]]
) -> pa.Table:
    """*rows* with the place of the message that each came with, where the table has it."""
    if ORIGIN[0] not in columns:
        return rows
    places = rows[CAUSE].to_numpy()
    for (name, _), of in zip(ORIGIN, (Message.partition, Message.offset), strict=True):
        found = np.array([of(each) for each in messages], np.int64)
        rows = rows.append_column(name, pa.array(found[places]))
    return rows


def tombstones_of(messages: Sequence[Message]) -> pa.Table:
    """The keys that are to go, and the place of their message."""
    found = [
        (place, str(bytes(each.key() or b""), "utf-8"))
        for place, each in enumerate(messages)
        if each.value() is None and each.key() is not None and is_text(bytes(each.key() or b""))
    ]
    return pa.table(
        {
            "key": pa.array([key for _, key in found], pa.string()),
            CAUSE: pa.array([place for place, _ in found], pa.int64()),
        }
    )
