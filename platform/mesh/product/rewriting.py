"""Writes a product's storage anew, so that nothing stays in the file of rows that were deleted.

DuckDB leaves a deleted row where it was until its place is used again. Done between two batches,
while the storage is closed. Not here: who may ask (`mesh.ports.management`).
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from mesh.errors import Rewritten, StorageError
from mesh.product.duck import storage_error
from mesh.product.durable import put
from mesh.product.storage_memory import limit_mb

__all__ = ["Rewriting", "rewrite"]


class Rewriting:
    """Whether the storage at *path* is to be written anew, and when it was. For any thread."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.asked_at: str | None = None
        self.done_at: str | None = None

    def ask(self) -> None:
        """Have it done after the batch that is under way. Whoever dies before has not done it."""
        self.asked_at = self.asked_at or now()

    def check(self) -> None:
        """Raise `Rewritten` where the storage must be let go for it."""
        if self.asked_at is not None:
            raise Rewritten("its storage is written anew, for an erasure")

    def carry_out(self) -> None:
        """Do what was asked for; the storage is closed. Raises `NoRoom` of a full disk."""
        if self.asked_at is not None and self._path is not None:
            rewrite(self._path)
            self.done()

    def done(self) -> None:
        """Note that what was asked for is done."""
        self.asked_at, self.done_at = None, now()


def rewrite(path: Path) -> None:
    """Copy the storage at *path* row by row into a new file, and put that in its place.

    Whatever ends this process between, one whole file is at *path*. Raises `NoRoom` of a full
    disk, `StorageError` where the file cannot be read.
    """
    new = path.with_name("storage.new")
    # What a replay that was killed has left aside is as personal.
    for name in (new.name, f"{new.name}.wal", "storage.old", "storage.old.wal"):
        path.with_name(name).unlink(missing_ok=True)
    try:
        # What waits in the log goes into the file, and the log is gone.
        with duckdb.connect(str(path)) as connection:
            connection.execute("checkpoint")
        copy(path, new)
        put(new, path)
    except duckdb.Error as error:
        new.unlink(missing_ok=True)
        raise storage_error(path, error) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be written anew: {error.strerror or error}") from error


def copy(path: Path, new: Path) -> None:
    """Every table of the closed file at *path* into the file *new*."""
    with closing(duckdb.connect()) as connection:
        connection.execute(f"set memory_limit = '{limit_mb(path)}MB'")
        connection.execute("set threads = 1")
        connection.execute(f"set temp_directory = '{text(path.with_name('storage.tmp'))}'")
        connection.execute(f"attach '{text(path)}' as kept (read_only)")
        connection.execute(f"attach '{text(new)}' as written")
        connection.execute("copy from database kept to written")
        connection.execute("checkpoint written")


def text(path: Path) -> str:
    """A path in a literal of SQL."""
    return str(path).replace("'", "''")


def now() -> str:
    """The present instant, as text that sorts."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
