"""Which entries are of which key: a digest of each entry's key, one after the other in a file.

To add is to append, whatever the keys are, where an index in order of keys would be written all
over; to find is to read 16 bytes an entry. It is made of the openings, and anew where it is short.
Not here: the openings themselves (`openings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mesh.audit.files import File
from mesh.audit.merkle import digests

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
        self._file = File(path)
        self.size = self._file.length // DIGEST_BYTES

    def cut(self, size: int) -> None:
        """Drop what lies behind the first *size*."""
        self.size = min(self.size, size)
        self._file.cut(self.size * DIGEST_BYTES)

    def put(self, begin: int, digests: Sequence[bytes]) -> None:
        """Write *digests* from the one of entry *begin* on; they are on the disk after `sync`."""
        self._file.write(begin * DIGEST_BYTES, b"".join(digests))
        self.size = max(self.size, begin + len(digests))

    def sync(self) -> None:
        """Have what was written on the disk."""
        self._file.sync()

    def forget(self, entries: Iterable[int]) -> None:
        """Overwrite what is kept of *entries*, as if they had no key; on the disk after `sync`."""
        for each in entries:
            if each < self.size:
                self._file.write(each * DIGEST_BYTES, NOTHING)

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
        self._file.close()

    def _pieces(self, end: int) -> Iterator[tuple[int, Digests]]:
        end = min(end, self.size)
        for begin in range(0, end, PIECE):
            data = self._file.read(begin * DIGEST_BYTES, min(begin + PIECE, end) * DIGEST_BYTES)
            yield begin, np.frombuffer(data, "<u8").reshape(-1, 2)


def digests_of(keys: Iterable[bytes | None]) -> list[bytes]:
    """What is kept of each key."""
    return [each[:DIGEST_BYTES] for each in digests(_BEGUN, [key or b"" for key in keys])]
