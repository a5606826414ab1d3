"""A product's internal storage: one DuckDB file that no other process opens.

Schema `input` holds what was taken in, `main` the output ports, `mesh` the bookkeeping:
the offsets up to which everything is in, the outbox, the batches not yet superseded.
All of a batch is one transaction, so that no kill can part a row from its message.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.errors import NoMemory, StorageError
from mesh.product.duck import batch_error, quoted, transaction
from mesh.product.offsets import merged
from mesh.product.outbox import OUTBOX
from mesh.product.planned import Planned
from mesh.product.position import Batch, Offsets, Position, offsets_from
from mesh.product.pruning import Pruning
from mesh.product.rejection import Rejection
from mesh.product.tables import connect_tables

__all__ = ["Storage"]

# So many batches that said nothing are kept before the first that says something.
MOST_SILENT = 100
SILENT = """delete from mesh.batches
where seq = 0 and rowid < (select max(rowid) from mesh.batches)"""


class Storage:
    """The open storage of one product (or feed). One writer; readers use `reader`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self.connection, self.path = connection, path
        self._readers: list[duckdb.DuckDBPyConnection] = []
        self._planned = Planned(connection)
        self._pruning = Pruning(self._planned)
        seq, offsets = connection.execute("select seq, offsets from mesh.state").fetchall()[0]
        self.seq = int(seq)
        self.offsets: Offsets = offsets_from(json.loads(offsets))
        # Set by the relay's success; pruned inside a later batch's transaction.
        self.published: Position | None = None
        # Batches of a product that has never said anything.
        self._silent = 0
        # Waits for what is being published meanwhile, if anything is.
        self.settle: Callable[[], None] = lambda: None

    @classmethod
    def open(cls, path: Path, tables: Sequence[tuple[str, str, Contract]]) -> Storage:
        """Open or make the storage, in the memory that it takes.

        *tables* are (schema, name, contract) of each port that is kept in it.

        Raises `AlreadyRunning` where another process holds it, `StorageError` where it
        cannot be used.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            # Each time it may take twice as much, and at the most it is another error.
            with suppress(NoMemory):
                return cls(connect_tables(path, tables), path)

    def close(self) -> None:
        """Close the file, with every connection to it: one that is left would keep it open."""
        for each in (*self._readers, self.connection):
            each.close()

    def reader(self) -> duckdb.DuckDBPyConnection:
        """A second connection of this process, for a thread that only reads."""
        self._readers.append(self.connection.cursor())
        return self._readers[-1]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One batch, or nothing of it. Raises `StorageError`, `NoRoom`, and what `settle` does."""
        # It is made anew only once nothing in it is due, and else grows.
        if self._pruning.is_spent:
            self.settle()
        due = self.published if self._pruning.is_due(self.seq) else None
        with self._transaction(due):
            yield

    def prune(self) -> None:
        """Drop what is published now, not with a later batch: it may be personal."""
        if not self._pruning.is_whole(self.published):
            with self._transaction(self.published):
                pass
        elif self.published is None and self._silent > MOST_SILENT:
            with self._transaction(None):
                self.connection.execute(SILENT)
            self._silent = 0

    @contextmanager
    def _transaction(self, due: Position | None) -> Iterator[None]:
        """The same, in which what is published up to *due* is dropped."""
        try:
            with transaction(self.connection):
                if due is not None:
                    self._pruning.drop(due, self.seq)
                yield
        except BaseException as error:
            self._planned.forget()
            if isinstance(error, duckdb.Error):
                raise batch_error(self.path, error) from error
            raise
        if due is not None:
            self._pruning.done(due)

    def insert(self, schema: str, table: str, rows: pa.Table) -> None:
        """Append *rows*, by column name."""
        if not rows.num_rows:
            return
        # A relation of its own, since the plan knows the columns.
        relation, place = f"_rows {schema}.{table}", f"{quoted(schema)}.{quoted(table)}"
        with self._planned.holding(relation, rows):
            sql = f"insert into {place} by name select * from {quoted(relation)}"
            self._planned.execute(sql)

    def save(self, outbox: pa.Table, offsets: Offsets, after: Batch | None = None) -> Batch:
        """Put *outbox* and the new *offsets* into the open transaction; the batch they make.

        *after* is a batch that the same transaction has saved before.
        """
        start = self.seq if after is None else after.seq
        seq = start + outbox.num_rows
        batch = Batch(
            id=uuid.uuid4().hex, seq=seq, offsets=merged(self.offsets, offsets), outbox=outbox
        )
        if outbox.num_rows:
            numbers = pa.array(range(start + 1, seq + 1), pa.int64())
            self.insert("mesh", "outbox", outbox.append_column("seq", numbers))
            self._pruning.spent += outbox.nbytes
        id_, text = batch.id, json.dumps(batch.offsets)
        self._planned.execute("update mesh.state set seq = $1, offsets = $2", seq, text)
        self._planned.execute("insert into mesh.batches values ($1, $2, $3)", id_, seq, text)
        return batch

    def committed(self, batch: Batch) -> None:
        """Take over what `save` wrote, once its transaction is committed."""
        self.seq, self.offsets = batch.seq, batch.offsets
        self._silent += batch.seq == 0

    def count_rejections(self, port: str, rejections: Sequence[Rejection]) -> None:
        """Add to the quality figures of *port*, in the open transaction."""
        counts: dict[tuple[str, str], int] = {}
        for each in rejections:
            key = (each.rule, each.field or "")
            counts[key] = counts.get(key, 0) + 1
        for (rule, field), count in counts.items():
            arguments = [count, port, rule, field]
            changed = self.connection.execute(
                "update mesh.quality set count_rejected = count_rejected + ?"
                " where port = ? and rule = ? and field = ?",
                arguments,
            ).fetchall()
            if changed[0][0] == 0:
                self.connection.execute(
                    "insert into mesh.quality (count_rejected, port, rule, field)"
                    " values (?, ?, ?, ?)",
                    arguments,
                )

    def knows(self, position: Position) -> bool:
        """Whether the batch that *position* names was committed here."""
        rows = self.connection.execute(
            "select 1 from mesh.batches where id = ?", [position.batch]
        ).fetchall()
        return bool(rows)

    def unpublished(self, position: Position | None) -> Iterator[Batch]:
        """The committed batches after *position* that have something to say, oldest first."""
        return self.after(position.seq if position else 0)

    def after(self, done: int) -> Iterator[Batch]:
        """The same after a sequence number; one at a time is in memory."""
        rows = self.connection.execute(
            "select id, seq, offsets from mesh.batches where seq > ? order by seq, rowid", [done]
        ).fetchall()
        for id_, seq, offsets in rows:
            # `sql` here, since `execute` with parameters cannot give Arrow without a copy.
            outbox = self.connection.sql(
                f"select topic, key, value, id, time, trace from mesh.outbox"
                f" where seq > {int(done)} and seq <= {int(seq)} order by seq"
            ).to_arrow_table()
            if outbox.num_rows:
                found = offsets_from(json.loads(offsets))
                yield Batch(id=id_, seq=seq, offsets=found, outbox=outbox.cast(OUTBOX))
            done = seq

    def is_outbox_whole(self) -> bool:
        """Whether everything that was ever to be said still waits in the outbox."""
        waiting = self.connection.execute("select count(*) from mesh.outbox").fetchall()[0][0]
        return bool(waiting == self.seq)

    def adopt(self, position: Position) -> None:
        """Go on after *position*, in the open transaction: what was published is the truth."""
        text = json.dumps(self.offsets)
        self.connection.execute("delete from mesh.outbox")
        self.connection.execute("delete from mesh.batches")
        self.connection.execute("update mesh.state set seq = ?", [position.seq])
        self.connection.execute(
            "insert into mesh.batches values (?, ?, ?)", [position.batch, position.seq, text]
        )
        self.seq = position.seq

    def forget(self, inputs: Mapping[str, Contract], topics: Collection[str] = ()) -> None:
        """Empty the tables of *inputs*, by name; they, and *topics*, are read and judged anew."""
        gone = {*(each.topic for each in inputs.values()), *topics}
        left = {topic: each for topic, each in self.offsets.items() if topic not in gone}
        with self.transaction():
            for name, contract in inputs.items():
                self.connection.execute(f'delete from "input".{quoted(name)}')
                self.connection.execute("delete from mesh.quality where port = ?", [contract.id])
            self.connection.execute("update mesh.state set offsets = ?", [json.dumps(left)])
        self.offsets = left

    def recognize(self, topic_ids: Mapping[str, str]) -> None:
        """Remember the topics that offsets and position belong to.

        Raises `StorageError` where one of them was made anew since.
        """
        known = dict(self.connection.execute("select topic, topic_id from mesh.topics").fetchall())
        changed = [name for name, id_ in topic_ids.items() if known.get(name, id_) != id_]
        if changed:
            raise StorageError(
                f"{', '.join(sorted(changed))} was made anew since it was last used: what "
                f"{self.path} holds belongs to the old one; remove the file to start over"
            )
        new = [(name, id_) for name, id_ in topic_ids.items() if name not in known]
        if new:
            with self.transaction():
                self.connection.executemany("insert into mesh.topics values (?, ?)", new)
