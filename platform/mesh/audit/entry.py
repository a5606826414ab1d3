"""What the log says of one message in clear, and what opens its commitment.

An entry has 70 bytes: version, kind, partition, topic id, offset, timestamp, commitment. The
commitment is SHA-256 of the opening: headers (with the salt among them), key and value, each with
its length before it. Destroy the opening, and the entry says nothing any more of who it was about.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from mesh.audit.merkle import digests
from mesh.audit.opening import Columns, Message, opening_of, openings_of, unopened
from mesh.errors import Unproven

__all__ = [
    "ENTRY",
    "ENTRY_BYTES",
    "Columns",
    "Entry",
    "Kind",
    "Message",
    "bundle",
    "opening_of",
    "sealed",
    "unopened",
]

Kind = Literal["salted", "unsalted", "withheld"]
KINDS: tuple[Kind, ...] = ("salted", "unsalted", "withheld")
SALTED, UNSALTED, WITHHELD = range(3)
VERSION = 1
ENTRY = np.dtype(
    [
        ("version", "u1"),
        ("kind", "u1"),
        ("partition", ">u4"),
        ("topic_id", "V16"),
        ("offset", ">u8"),
        ("timestamp_ms", ">i8"),
        ("commitment", "V32"),
    ]
)
ENTRY_BYTES = ENTRY.itemsize
_LAYOUT = struct.Struct(">BBI16sQq32s")
_NOTHING = bytes(32)
_BEGUN = hashlib.sha256()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a log."""

    kind: Kind
    topic_id: bytes
    partition: int
    offset: int
    timestamp_ms: int
    commitment: bytes

    @classmethod
    def parse(cls, data: bytes) -> Entry:
        """The entry in *data*. Raises `Unproven` where it is none."""
        if len(data) != ENTRY_BYTES or data[0] != VERSION or data[1] >= len(KINDS):
            raise Unproven("this is no entry of a change audit log")
        _, kind, partition, topic_id, offset, timestamp_ms, commitment = _LAYOUT.unpack(data)
        return cls(
            kind=KINDS[kind],
            topic_id=topic_id,
            partition=partition,
            offset=offset,
            timestamp_ms=timestamp_ms,
            commitment=commitment,
        )

    @property
    def at(self) -> datetime:
        """When the message was written."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)

    def is_of(self, opening: bytes) -> bool:
        """Whether *opening* is what the entry commits to."""
        return self.kind != "withheld" and hashlib.sha256(opening).digest() == self.commitment


def sealed(
    messages: Columns, topic_id: bytes, partition: int, *, needs_salt: bool
) -> tuple[bytes, list[bytes | None]]:
    """The entries of *messages*, one after the other, and what opens each.

    Where a message *needs_salt*, since its fields are personal, and has none, its commitment
    could be guessed: it is withheld, and nothing is kept that opens it. So is that of a message
    whose headers cannot be read.
    """
    found, has_salt = openings_of(messages)
    openings: list[bytes | None] = [*found]
    commitments = digests(_BEGUN, found)
    kinds = np.where(has_salt, SALTED, WITHHELD if needs_salt else UNSALTED)
    kinds[[*messages.unread]] = WITHHELD
    for at in np.flatnonzero(kinds == WITHHELD):
        openings[at], commitments[at] = None, _NOTHING
    rows = np.empty(len(found), ENTRY)
    rows["version"], rows["partition"] = VERSION, partition
    rows["topic_id"] = np.void(topic_id)
    rows["kind"], rows["offset"] = kinds, messages.offsets
    rows["timestamp_ms"] = messages.timestamps_ms
    rows["commitment"] = np.frombuffer(b"".join(commitments), "V32") if found else ()
    return rows.tobytes(), openings


def bundle(entries: bytes) -> bytes:
    """*entries* as C2SP bundles them: each with its length before it, in two bytes."""
    rows = np.frombuffer(entries, np.uint8).reshape(-1, ENTRY_BYTES)
    lengths = np.full((len(rows), 2), [0, ENTRY_BYTES], np.uint8)
    return np.hstack([lengths, rows]).tobytes()
