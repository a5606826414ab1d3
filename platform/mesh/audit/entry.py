"""What the log says of one message in clear, and what opens its commitment.

An entry has 70 bytes: version, kind, partition, topic id, offset, timestamp, commitment. The
commitment is SHA-256 of the opening: headers (with the salt among them), key and value, each with
its length before it. Destroy the opening, and the entry says nothing any more of who it was about.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from mesh.backbone.wire import SALT, SALT_BYTES
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
# The length of what is null.
NULL = b"\xff\xff\xff\xff"
_length = struct.Struct(">I").pack

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it travelled."""

    headers: Headers
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)

    @property
    def is_salted(self) -> bool:
        """Whether it has one salt, of the right length."""
        return is_salted(self.headers)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Messages of one partition in order of offset, column by column."""

    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    headers: Sequence[Headers]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]


def sealed(
    messages: Columns, topic_id: bytes, partition: int, *, needs_salt: bool
) -> tuple[bytes, list[bytes | None]]:
    """The entries of *messages*, one after the other, and what opens each.

    Where a message *needs_salt*, since its fields are personal, and has none, its commitment
    could be guessed: it is withheld, and nothing is kept that opens it.
    """
    names: dict[str, bytes] = {}
    openings: list[bytes | None] = []
    kinds, commitments = [], []
    for headers, key, value in zip(messages.headers, messages.keys, messages.values, strict=True):
        opening = opening_of(headers, key, value, names)
        has_salt = is_salted(headers)
        if needs_salt and not has_salt:
            openings.append(None)
            kinds.append(WITHHELD)
            commitments.append(_NOTHING)
        else:
            openings.append(opening)
            kinds.append(SALTED if has_salt else UNSALTED)
            commitments.append(hashlib.sha256(opening).digest())
    rows = np.empty(len(kinds), ENTRY)
    rows["version"], rows["partition"] = VERSION, partition
    rows["topic_id"] = np.void(topic_id)
    rows["kind"], rows["offset"] = kinds, messages.offsets
    rows["timestamp_ms"] = messages.timestamps_ms
    rows["commitment"] = np.frombuffer(b"".join(commitments), "V32") if kinds else ()
    return rows.tobytes(), openings


def is_salted(headers: Headers) -> bool:
    """Whether there is one salt, of the right length."""
    salts = [value for name, value in headers if name == SALT]
    return len(salts) == 1 and len(salts[0] or b"") == SALT_BYTES


def opening_of(
    headers: Headers, key: bytes | None, value: bytes | None, names: dict[str, bytes] | None = None
) -> bytes:
    """Headers, key and value in the one form that is committed to.

    *names* remembers how headers' names are written, from message to message.
    """
    known = {} if names is None else names
    parts = [_length(len(headers))]
    for name, data in headers:
        written = known.get(name)
        if written is None:
            text = name.encode()
            written = known[name] = _length(len(text)) + text
        parts += (written, NULL) if data is None else (written, _length(len(data)), data)
    for each in (key, value):
        parts += (NULL,) if each is None else (_length(len(each)), each)
    return b"".join(parts)


def unopened(opening: bytes) -> Message:
    """The message in an opening. Raises `Unproven` where there is none."""
    at = 0

    def take() -> bytes | None:
        nonlocal at
        prefix = opening[at : at + 4]
        at += 4
        if prefix == NULL:
            return None
        end = at + int.from_bytes(prefix, "big")
        if len(prefix) < 4 or end > len(opening):
            raise Unproven("what should open the commitment is cut short")
        found, at = opening[at:end], end
        return found

    count, at = int.from_bytes(opening[:4], "big"), 4
    headers = []
    for _ in range(min(count, len(opening))):
        name, data = take() or b"", take()
        headers.append((name.decode(errors="replace"), data))
    key, value = take(), take()
    if at != len(opening):
        raise Unproven("bytes are left over after what opens the commitment")
    return Message(headers=tuple(headers), key=key, value=value)


def bundle(entries: bytes) -> bytes:
    """*entries* as C2SP bundles them: each with its length before it, in two bytes."""
    rows = np.frombuffer(entries, np.uint8).reshape(-1, ENTRY_BYTES)
    lengths = np.full((len(rows), 2), [0, ENTRY_BYTES], np.uint8)
    return np.hstack([lengths, rows]).tobytes()
