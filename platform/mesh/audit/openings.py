"""What opens the entries of one log, apart from them so that it can be destroyed.

SQLite overwrites what is deleted from it. Not here: what an opening is (`entry`), how those of a
key are found (`keyfile`).
"""

from __future__ import annotations

import json
import sqlite3
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from mesh.audit.entry import unopened
from mesh.audit.keyfile import NOTHING, KeyFile, digests_of
from mesh.errors import StorageError

__all__ = ["Openings"]

KEYS = "keys"
MAKE = """
create table if not exists openings (entry integer primary key, opening blob);
drop index if exists openings_by_key;
create table if not exists erased (entry integer primary key, request text not null);
"""
# The entries come as one parameter, since there may be any number of them.
THESE = """
select entry, opening from openings where entry in (select value from json_each(?)) order by entry
"""
BUSY_S = 30.0
# Messages are larger than what SQLite thinks of, which would have seven on a page.
PAGE_BYTES = 16_384
# By default each large batch would be written twice before the next: 40 MB instead of 16.
WAL_PAGES = 2_500
# So many openings at a time make a file of keys anew.
PIECE = 10_000


class Openings:
    """The openings of a log whose first *size* entries were signed for; later ones are dropped."""

    def __init__(self, path: Path, size: int) -> None:
        self._path, self._lock = path, threading.Lock()
        self._keys = KeyFile(path.with_name(KEYS))
        self._keys.cut(size)
        self._connection = opened(path)
        with self._using() as connection:
            connection.execute(f"pragma page_size = {PAGE_BYTES}")
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute("pragma secure_delete = on")
            connection.execute(f"pragma wal_autocheckpoint = {WAL_PAGES}")
            connection.executescript(MAKE)
            for table in ("openings", "erased"):
                connection.execute(f"delete from {table} where entry >= ?", [size])
            connection.commit()
        for begin in range(self._keys.size, size, PIECE):
            self._add_keys_again(begin, min(begin + PIECE, size))

    def add(
        self, begin: int, keys: Sequence[bytes | None], openings: Sequence[bytes | None]
    ) -> None:
        """Keep what opens the entries from *begin* on; None is kept nowhere."""
        rows = [each for each in enumerate(openings, begin) if each[1] is not None]
        digests = digests_of(keys)
        if len(rows) < len(openings):
            pairs = zip(openings, digests, strict=True)
            digests = [NOTHING if opening is None else digest for opening, digest in pairs]
        self._keys.put(begin, digests)
        with self._using() as connection:
            connection.executemany("insert into openings (entry, opening) values (?, ?)", rows)
            connection.commit()

    def destroy(self, entries: Iterable[int], request: str) -> int:
        """Destroy what opens *entries*; how many openings there were.

        That *request* erased them is remembered, also of an entry that never had an opening.
        """
        wanted = [[each] for each in sorted(set(entries))]
        # First: of what has no opening any more, nobody would ask for this again.
        self._keys.forget(each for (each,) in wanted)
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

    def of(self, key: bytes, size: int) -> list[tuple[int, bytes]]:
        """Index and opening of those of the first *size* entries whose message has *key*."""
        [digest] = digests_of([key])
        return self._these(self._keys.places([digest], size)[digest])

    def since(self, begin: int, end: int) -> list[tuple[int, bytes]]:
        """Index and opening of the entries from *begin* to before *end*."""
        query = "select entry, opening from openings where entry >= ? and entry < ? order by entry"
        return self._rows(query, begin, end)

    def before(self, wanted: Sequence[tuple[int, bytes | None]]) -> list[bytes | None]:
        """For each pair of index and key: what opens the entry of the key that came before it."""
        digests = digests_of(key for _, key in wanted)
        end = max((index for index, _ in wanted), default=0)
        places = self._keys.places(digests, end)
        found = []
        for (index, _), digest in zip(wanted, digests, strict=True):
            at = bisect_left(places[digest], index)
            found.append(places[digest][at - 1] if at else None)
        openings = dict(self._these([each for each in found if each is not None]))
        return [None if each is None else openings.get(each) for each in found]

    def latest(self, size: int) -> list[tuple[int, bytes]]:
        """Index and opening of the last entry of each key among the first *size*, in order."""
        return self._these(self._keys.last_of_each(size))

    def _these(self, entries: Sequence[int]) -> list[tuple[int, bytes]]:
        """Index and opening of these entries, in order."""
        return self._rows(THESE, json.dumps(entries)) if entries else []

    def _add_keys_again(self, begin: int, end: int) -> None:
        """Make the keys of entries of their openings, where the file of keys is too short."""
        digests = [NOTHING] * (end - begin)
        for index, opening in self.since(begin, end):
            digests[index - begin] = digests_of([unopened(opening).key])[0]
        self._keys.put(begin, digests)

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
            self._keys.close()

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
