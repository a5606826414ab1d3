"""Messages between the service and a worker, over one descriptor that is nothing else.

A frame is a letter, a length, and so many bytes. Standard output is no such channel: DuckDB
prints there when it is asked to.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping

__all__ = [
    "DATA",
    "END",
    "ERROR",
    "HEAD",
    "document_of",
    "read_frame",
    "write_document",
    "write_frame",
]

HEAD, DATA, END, ERROR = b"H", b"D", b"Z", b"E"
LENGTH = struct.Struct("!cI")
LONGEST = 64 * 1024 * 1024


def write_frame(channel: int, kind: bytes, data: bytes = b"") -> None:
    """Write one frame. Raises `OSError` where nobody reads any more."""
    left = memoryview(LENGTH.pack(kind, len(data)) + data)
    while left:
        left = left[os.write(channel, left) :]


def write_document(channel: int, kind: bytes, document: Mapping[str, object]) -> None:
    """Write one frame of JSON."""
    write_frame(channel, kind, json.dumps(document).encode())


def read_frame(channel: int) -> tuple[bytes, bytes] | None:
    """The next frame, or None where the other side has gone, in the middle of one or not."""
    head = exactly(channel, LENGTH.size)
    if head is None:
        return None
    kind, length = LENGTH.unpack(head)
    data = exactly(channel, length) if length <= LONGEST else None
    return None if data is None else (kind, data)


def document_of(data: bytes) -> dict[str, object]:
    """The JSON object of a frame."""
    found = json.loads(data)
    return found if isinstance(found, dict) else {}


def exactly(channel: int, count: int) -> bytes | None:
    """So many bytes, or None where they do not come."""
    pieces = []
    while count:
        try:
            piece = os.read(channel, count)
        except OSError:
            return None
        if not piece:
            return None
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
