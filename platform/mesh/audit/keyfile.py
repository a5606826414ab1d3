"""Which entries are of which key: a digest of each entry's key, one after the other in a file.

To add is to append, whatever the keys are, where an index in order of keys would be written all
over; to find is to read 16 bytes an entry. It is made of the openings, and anew where it is short.
Not here: the openings themselves (`openings`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mesh.audit.merkle import digests
from mesh.errors import StorageError

__all__ = ["NOTHING", "KeyFile", "digests_of"]

DIGEST_BYTES = 16
# Of an entry without an opening.
NOTHING = bytes(DIGEST_BYTES)
# So much is looked through at a time: a reader takes little memory, however long the log is.
PIECE = 1 << 18
Digests = npt.NDArray[np.uint64]
_BEGUN = hashlib.sha256()


class KeyFile:
    """The digests in the file *path*. One thread adds to it; any may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._translated():
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(path, flags, 0o600)
            self.size = os.fstat(self._file).st_size // DIGEST_BYTES

    def cut(self, size: int) -> None:
        """Drop what lies behind the first *size*."""
        self.size = min(self.size, size)
        with self._translated():
            os.truncate(self._file, self.size * DIGEST_BYTES)

    def put(self, begin: int, digests: Sequence[bytes]) -> None:
        """Write *digests* from the one of entry *begin* on, onto the disk."""
        self._write([(begin, b"".join(digests))])
        self.size = max(self.size, begin + len(digests))

    def forget(self, entries: Iterable[int]) -> None:
        """Overwrite what is kept of *entries*, as if they had no key."""
        self._write((each, NOTHING) for each in entries if each < self.size)

    def places(self, digests: Iterable[bytes], end: int) -> dict[bytes, list[int]]:
        """Those of the first *end* entries that have one of *digests*, in order."""
        found: dict[bytes, list[int]] = {each: [] for each in digests}
        wanted = np.array([int.from_bytes(each[:8], "little") for each in found], np.uint64)
        for begin, piece in self._pieces(end):
            for at in np.flatnonzero(np.isin(piece[:, 0], wanted)).tolist():
                places = found.get(piece[at].tobytes())
                if places is not None:
                    places.append(begin + at)
        return found

    def last_of_each(self, end: int) -> list[int]:
        """The last of the first *end* entries of each key, in order."""
        pieces = [piece for _, piece in self._pieces(end)]
        if not pieces:
            return []
        digests = np.concatenate(pieces)
        # Stable, so that of equal ones the last in order is the last in the log.
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        ordered = digests[order]
        is_last = np.append((ordered[1:] != ordered[:-1]).any(axis=1), True)
        last = np.sort(order[is_last & ordered.any(axis=1)])
        return [int(each) for each in last]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)

    def _pieces(self, end: int) -> Iterator[tuple[int, Digests]]:
        for begin in range(0, min(end, self.size), PIECE):
            count = min(PIECE, end - begin, self.size - begin)
            with self._translated():
                data = os.pread(self._file, count * DIGEST_BYTES, begin * DIGEST_BYTES)
            yield begin, np.frombuffer(data, "<u8").reshape(-1, 2)

    def _write(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        with self._translated():
            for begin, data in pieces:
                at, left = begin * DIGEST_BYTES, data
                while left:
                    written = os.pwrite(self._file, left, at)
                    left, at = left[written:], at + written
            os.fdatasync(self._file)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self._path} cannot be used: {error.strerror or error}") from error


def digests_of(keys: Iterable[bytes | None]) -> list[bytes]:
    """What is kept of each key."""
    return [each[:DIGEST_BYTES] for each in digests(_BEGUN, [key or b"" for key in keys])]
