"""Where each of many Avro datums is read next, and the numbers and lengths read from there.

A row whose bytes make no sense, or are laid out in a rare way, is only marked: what to do with
it is decided elsewhere (`avro_decode`). A marked row stays at its own end, so no row can ever
take a byte from its neighbour.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["PAD", "Cursor", "Ints", "pad", "spans", "varints", "words_at"]

Ints = npt.NDArray[np.int64]
_Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint64]
_Mask = npt.NDArray[np.bool_]

PAD = 16  # a word may be read before the first byte and after the last

_ONE = np.uint64(1)
_SEVEN_BITS = np.uint64(127)
_TOPS = np.uint64(0x8080808080808080)
# Neighbouring groups move together: bytes, then pairs, then fours (low, high, by how much).
_SQUEEZE = [
    (np.uint64(0x007F007F007F007F), np.uint64(0x7F007F007F007F00), np.uint64(1)),
    (np.uint64(0x00003FFF00003FFF), np.uint64(0x3FFF00003FFF0000), np.uint64(2)),
    (np.uint64(0x000000000FFFFFFF), np.uint64(0x0FFFFFFF00000000), np.uint64(4)),
]


class Cursor:
    """Where each row is read next (*at*), where it ends (*end*), and whether it is *marked*."""

    __slots__ = ("at", "data", "end", "marked")

    def __init__(self, data: _Bytes, at: Ints, end: Ints) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.marked: _Mask = np.zeros(len(at), np.bool_)

    def __len__(self) -> int:
        return len(self.at)

    def move(self, to: Ints, *, wrong: _Mask | None = None) -> None:
        """Go on at *to*; rows that are wrong or past their end are marked."""
        beyond = to > self.end
        if wrong is not None:
            beyond |= wrong
        if beyond.any():
            self.marked |= beyond
            to = np.where(beyond, self.end, to)
        self.at = to

    def select(self, mask: _Mask) -> Cursor:
        """Return a cursor over the rows of *mask* only."""
        return Cursor(self.data, self.at[mask], self.end[mask])

    def merge(self, mask: _Mask, part: Cursor) -> None:
        """Take over where *part*, selected by *mask*, has come to."""
        self.at[mask] = part.at
        self.marked[mask] |= part.marked


def pad(data: _Bytes) -> _Bytes:
    """Return *data* with `PAD` zeros around it; positions count from the padded start."""
    padded = np.zeros(len(data) + 2 * PAD, np.uint8)
    padded[PAD : PAD + len(data)] = data
    return padded


def varints(cursor: Cursor) -> Ints:
    """Read a zig-zag variable-length integer of up to ten bytes from every row."""
    first = cursor.data[cursor.at].astype(np.int64)
    if not (first > 127).any():
        cursor.move(cursor.at + 1)
        return (first >> 1) ^ -(first & 1)
    words = words_at(cursor.data, cursor.at, "<u8")
    stops = ~words & _TOPS
    lowest = stops & (~stops + _ONE)
    used = lowest | (lowest - _ONE)
    zigzag = _squeeze(words & used)
    sizes = (np.bitwise_count(used) >> 3).astype(np.int64)
    wrong = None
    if not stops.all():
        wrong = _finish_long(cursor, stops == 0, zigzag, sizes)
    cursor.move(cursor.at + sizes, wrong=wrong)
    return _unzigzag(zigzag)


def _finish_long(cursor: Cursor, long: _Mask, zigzag: _Words, sizes: Ints) -> _Mask:
    """Add bytes nine and ten to the rows of *long*; return those that still do not end."""
    ninth = cursor.data[cursor.at[long] + 8].astype(np.uint64)
    tenth = cursor.data[cursor.at[long] + 9].astype(np.uint64)
    more = ninth > 127
    high = (ninth & _SEVEN_BITS) << np.uint64(56)
    zigzag[long] |= high | np.where(more, tenth << np.uint64(63), np.uint64(0))
    sizes[long] = np.where(more, 10, 9)
    wrong = np.zeros(len(cursor), np.bool_)
    wrong[long] = more & (tenth > 1)
    return wrong


def _squeeze(words: _Words) -> _Words:
    """Drop the top bit of each byte: eight groups of 7 bits become 56 bits."""
    for low, high, shift in _SQUEEZE:
        words = (words & low) | ((words & high) >> shift)
    return words


def _unzigzag(zigzag: _Words) -> Ints:
    half = (zigzag >> _ONE).view(np.int64)
    return half ^ -(zigzag & _ONE).view(np.int64)


def words_at(data: _Bytes, at: Ints, layout: str) -> npt.NDArray[Any]:
    """Return the word that begins at each position, aligned or not."""
    size = np.dtype(layout).itemsize
    view = np.ndarray((len(data) - size + 1,), layout, buffer=data, strides=(1,))
    return view[at]


def spans(cursor: Cursor) -> tuple[Ints, Ints]:
    """Return start and end of the next length-prefixed bytes of every row."""
    sizes = varints(cursor)
    starts = cursor.at
    wrong = (sizes < 0) | (sizes > cursor.end - starts)
    ends = starts + np.where(wrong, 0, sizes)
    cursor.move(ends, wrong=wrong)
    return starts, ends
