"""What opens the commitment of an entry: a message in the one form that is hashed.

The number of headers; each header's name and value; key; value; each with its length before it.
Not here: the entry (`entry`), where openings are kept (`openings`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from mesh.backbone.wire import SALT, SALT_BYTES
from mesh.errors import Unproven

__all__ = ["Columns", "Message", "opening_of", "openings_of", "unopened"]

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
class Columns:
    """Messages of one partition in order of offset, column by column.

    Of those at *unread* the client could not tell the headers: what it would commit to is unknown.
    """

    offsets: Sequence[int]
    timestamps_ms: Sequence[int]
    headers: Sequence[Headers]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    unread: Sequence[int] = ()


def openings_of(messages: Columns) -> tuple[list[bytes], list[bool]]:
    """What opens each message, and whether it has one salt, of the right length."""
    columns = columns_in(messages.headers)
    if columns is None:
        names: dict[str, bytes] = {}
        rows = zip(messages.headers, messages.keys, messages.values, strict=True)
        openings = [opening_of(*row, names) for row in rows]
        return openings, [is_salted(each) for each in messages.headers]
    count, fixed, parts = len(messages.keys), _length(len(columns)), []
    for name, values in [*columns, (None, messages.keys), (None, messages.values)]:
        fixed += b"" if name is None else written(name.encode())
        if values.count(values[0]) == count:
            # Of all messages alike: written once.
            fixed += written(values[0])
        else:
            parts += behind(fixed, values)
            fixed = b""
    openings = [*map(b"".join, zip(*parts, repeat(fixed, count), strict=True))]
    salts = [values for name, values in columns if name == SALT]
    if len(salts) != 1:
        return openings, [False] * count
    return openings, [len(each or b"") == SALT_BYTES for each in salts[0]]


def columns_in(headers: Sequence[Headers]) -> list[tuple[str, list[bytes | None]]] | None:
    """The headers' values by name, in order, where all messages have the same names; else None."""
    counts = {*map(len, headers)}
    if len(counts) != 1 or 0 in counts:
        return None
    width = 2 * counts.pop()
    flat: list[Any] = [*chain.from_iterable(chain.from_iterable(headers))]
    found = []
    for at in range(0, width, 2):
        names = flat[at::width]
        if names.count(names[0]) < len(names):
            return None
        found.append((names[0], flat[at + 1 :: width]))
    return found


def behind(fixed: bytes, values: Sequence[bytes | None]) -> list[Iterable[bytes]]:
    """What is written of each of *values*, behind what is *fixed*."""
    count = len(values)
    there = [each for each in values if each is not None]
    if len(there) < count:
        return [repeat(fixed, count), map(written, values)]
    lengths = [*map(len, there)]
    if lengths.count(lengths[0]) == count:
        return [repeat(fixed + _length(lengths[0]), count), there]
    known = {each: _length(each) for each in {*lengths}}
    return [repeat(fixed, count), map(known.__getitem__, lengths), there]


def written(value: bytes | None) -> bytes:
    """A value with its length before it."""
    return NULL if value is None else _length(len(value)) + value


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
