"""A file of a log: written where it is told, read by many at a time, whole or as it was.

Not here: what a file says (`store`, `openings`, `keyfile`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mesh.errors import StorageError, Unproven
from mesh.product.durable import put

__all__ = ["File", "put_whole", "translated"]

PRIVATE = 0o600


class File:
    """The file *path*. One thread writes to it; any may read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with translated(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)

    @property
    def length(self) -> int:
        """How many bytes it has."""
        with translated(self._path):
            return os.fstat(self._file).st_size

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from *begin* to before *end*. Raises `Unproven` where there are not so many."""
        with translated(self._path):
            data = os.pread(self._file, end - begin, begin)
        if len(data) < end - begin:
            raise Unproven(f"{self._path} ends before byte {end}: it is damaged")
        return data

    def write(self, at: int, data: bytes) -> None:
        """Write *data* at a place; on the disk it is after `sync`."""
        with translated(self._path):
            while data:
                written = os.pwrite(self._file, data, at)
                data, at = data[written:], at + written

    def sync(self) -> None:
        """Have what was written on the disk."""
        with translated(self._path):
            os.fdatasync(self._file)

    def cut(self, length: int) -> None:
        """Drop what lies behind the first *length* bytes."""
        with translated(self._path):
            os.truncate(self._file, length)

    def close(self) -> None:
        """Let go of it."""
        # The number is soon another file's, and some reader may still ask for this one.
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def put_whole(path: Path, text: str) -> None:
    """Have *text* on the disk as the file *path*, or what was there before, and no part of it."""
    new = path.with_name(f".{path.name}")
    with translated(path):
        new.touch(mode=PRIVATE)
        new.write_text(text, encoding="utf-8")
        put(new, path)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors of the disk become a `StorageError`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be used: {error.strerror or error}") from error
