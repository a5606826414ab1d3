"""One look at a storage: rows and the offsets they are true for, read in one transaction.

The writer goes on meanwhile; a snapshot sees nothing of it. Not here: what is read (`pages`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from mesh.errors import MeshError, StorageError
from mesh.ports.refusals import Busy

__all__ = ["Snapshot", "Version", "translated"]

BATCH_ROWS = 2048
VERSION = """
select seq, offsets, (select last(id order by seq, rowid) from mesh.batches) from mesh.state
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Which state of the storage this is. *mark* is another one after every batch."""

    offsets: Mapping[str, Mapping[str, int]]
    mark: str

    def etag(self, *asked: str) -> str:
        """The validator of an answer. Weak: equal rows, perhaps in other bytes."""
        digest = hashlib.sha256("\0".join((self.mark, *asked)).encode()).hexdigest()
        return f'W/"{digest[:32]}"'


class Snapshot:
    """A transaction that only reads; whoever opens it closes it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._cursor = connection.cursor()
        try:
            with translated():
                self._cursor.execute("begin")
                seq, offsets, batch = self._cursor.execute(VERSION).fetchall()[0]
        except BaseException:
            self.close()
            raise
        # The random id of the last batch tells a rebuilt storage from the one before it.
        self.version = Version(offsets=json.loads(offsets), mark=f"{seq}\0{offsets}\0{batch}")

    def stream(self, sql: str, values: Sequence[object], schema: pa.Schema) -> Iterator[pa.Table]:
        """The rows of a query as they come, in the contract's types. Nothing is held in whole."""
        with translated():
            reader = self._cursor.execute(sql, list(values)).to_arrow_reader(BATCH_ROWS)
            for batch in reader:
                yield pa.Table.from_batches([batch]).cast(schema)

    def close(self) -> None:
        """Let the storage forget what only this snapshot still sees."""
        with suppress(duckdb.Error):
            self._cursor.execute("rollback")
        self._cursor.close()


@contextmanager
def translated() -> Iterator[None]:
    """Errors of DuckDB, and of Arrow that reads from it, as ours."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise storage_trouble(error) from error


def storage_trouble(error: Exception) -> MeshError:
    """The error of our tree: a door shares the storage's memory with the product's own work."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Out of Memory" in text:
        return Busy("the rows are too many or too large at once: ask for fewer, or try again")
    return StorageError(f"the internal storage cannot be read: {text}")
