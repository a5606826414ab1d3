"""What opens the entries of one log, apart from them so that it can be destroyed.

SQLite overwrites what is deleted from it. Not here: what an opening is (`entry`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mesh.errors import StorageError

__all__ = ["Openings"]

MAKE = """
create table if not exists openings (
    entry integer primary key,
    key blob,
    opening blob
);
create index if not exists openings_by_key on openings (key);
create table if not exists erased (entry integer primary key, request text not null);
"""
LATEST = """
select entry, opening from openings
where entry in (select max(entry) from openings where entry < ? group by key)
order by entry
"""
BUSY_S = 30.0
# By default each large batch would be written twice before the next: 40 MB instead of 4.
WAL_PAGES = 10_000


class Openings:
    """The openings of a log whose first *size* entries were signed for; later ones are dropped."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._lock = path, threading.Lock()
        self._connection = opened(path)
        with self._using() as connection:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute("pragma secure_delete = on")
            connection.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
            connection.executescript(MAKE)
            for table in ("openings", "erased"):
                connection.execute(f"delete from {table} where entry >= ?", [size])
            connection.commit()

    def add(
        self, begin: int, keys: Sequence[bytes | None], openings: Sequence[bytes | None]
    ) -> None:
        """Keep what opens the entries from *begin* on; None is kept nowhere."""
        rows = zip(range(begin, begin + len(openings)), keys, openings, strict=True)
        with self._using() as connection:
            connection.executemany(
                "insert into openings values (?, ?, ?)",
                (each for each in rows if each[2] is not None),
            )
            connection.commit()

    def destroy(self, entries: Iterable[int], request: str) -> int:
        """Destroy what opens *entries*; how many openings there were.

        That *request* erased them is remembered, also of an entry that never had an opening.
        """
        wanted = [[each] for each in sorted(set(entries))]
        with self._using() as connection:
            gone = connection.executemany("delete from openings where entry = ?", wanted).rowcount
            connection.executemany(
                "insert or ignore into erased values (?, ?)", [[*each, request] for each in wanted]
            )
            connection.commit()
            # What was deleted stands in the write-ahead log until that is cut.
            is_read, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if is_read:
            raise StorageError(f"{self._path} is being read, and not all is gone: ask once more")
        return max(gone, 0)

    def erased(self, begin: int, end: int) -> list[tuple[int, str]]:
        """Index of each entry from *begin* to before *end* that was erased, and by what request."""
        query = "select entry, request from erased where entry >= ? and entry < ? order by entry"
        return self._rows(query, begin, end)

    def at(self, index: int) -> bytes | None:
        """What opens one entry, or None where it is kept no more."""
        found = self._rows("select entry, opening from openings where entry = ?", index)
        return found[0][1] if found else None

    def of(self, key: bytes) -> list[tuple[int, bytes]]:
        """Index and opening of every entry whose message has *key*, in order."""
        return self._rows("select entry, opening from openings where key = ? order by entry", key)

    def since(self, begin: int, end: int) -> list[tuple[int, bytes]]:
        """Index and opening of the entries from *begin* to before *end*."""
        query = "select entry, opening from openings where entry >= ? and entry < ? order by entry"
        return self._rows(query, begin, end)

    def before(self, key: bytes, index: int) -> bytes | None:
        """What opens the entry of *key* that came before the one at *index*."""
        query = (
            "select entry, opening from openings where key = ? and entry < ?"
            " order by entry desc limit 1"
        )
        found = self._rows(query, key, index)
        return found[0][1] if found else None

    def latest(self, size: int) -> list[tuple[int, bytes]]:
        """Index and opening of the last entry of each key among the first *size*, in order."""
        return self._rows(LATEST, size)

    def _rows(self, query: str, *parameters: object) -> list[tuple[int, Any]]:
        """What a query finds, by a connection of its own, since readers wait for nobody."""
        try:
            with closing(opened(self._path)) as connection:
                return connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise StorageError(f"{self._path} cannot be read: {error}") from error

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time; what SQLite refuses is a `StorageError`."""
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                self._connection.rollback()
                raise StorageError(f"{self._path} cannot be used: {error}") from error


def opened(path: Path) -> sqlite3.Connection:
    """A connection that several threads may use, one at a time."""
    try:
        path.touch(mode=0o600)
        return sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path} cannot be opened: {error}") from error
