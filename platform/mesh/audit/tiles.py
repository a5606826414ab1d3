"""The tree as tiles of 256 hashes, by their C2SP names, and how it grows.

A tile's file here holds a whole level, to which hashes are only ever added; a tile, full or
partial, is a part of it. Not here: files (`store`), HTTP (`door`).
Source: C2SP tlog-tiles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mesh.audit.merkle import HASH_BYTES, Nodes, parents, perfect_root

__all__ = ["HEIGHT", "WIDTH", "Growth", "Tile", "hashes_in", "level_sizes", "nodes_of"]

HEIGHT = 8
WIDTH = 1 << HEIGHT
LAST_LEVEL = 63
_NAME = re.compile(r"(0|[1-9]\d?)/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?")

# The hashes of a level of tiles, as bytes, from one index to before another.
Read = Callable[[int, int, int], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """The *index*-th tile of a *level*; of *width* hashes or, in a bundle, entries."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def begin(self) -> int:
        """Where it begins in its level."""
        return self.index * WIDTH

    @property
    def end(self) -> int:
        """Where it ends in its level."""
        return self.begin + self.width

    @property
    def name(self) -> str:
        """Its path below `tile/`."""
        digits = f"{self.index:d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        path = "/".join([*(f"x{each}" for each in parts[:-1]), parts[-1]])
        return f"{self.level}/{path}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def named(cls, name: str) -> Tile | None:
        """The tile of a path below `tile/`, or None where it is no tile's only name."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        digits = found[2].replace("x", "").replace("/", "")
        tile = cls(level=int(found[1]), index=int(digits), width=int(found[3] or WIDTH))
        is_one = tile.level <= LAST_LEVEL and tile.name == name and tile.width <= WIDTH
        return tile if is_one else None


def level_sizes(size: int) -> list[int]:
    """How many hashes each level of tiles has in a tree of *size* leaves."""
    sizes = []
    while size:
        sizes.append(size)
        size >>= HEIGHT
    return sizes


def hashes_in(data: bytes) -> list[bytes]:
    """The hashes in *data*, one after the other."""
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def nodes_of(read: Read) -> Nodes:
    """The perfect subtrees of a tree whose tiles *read* reads."""

    def node(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, HEIGHT)
        return perfect_root(hashes_in(read(tile_level, index << above, (index + 1) << above)))

    return node


class Growth:
    """What of a tree is needed to add leaves to it: the partial tile at the end of each level."""

    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self._partial = [
            hashes_in(read(level, count - count % WIDTH, count))
            for level, count in enumerate(level_sizes(size))
        ]

    def add(self, leaves: Sequence[bytes]) -> list[bytes]:
        """Add the hashes of leaves; what is to be added to each level."""
        self.size += len(leaves)
        added, new, level = [], list(leaves), 0
        while new:
            added.append(b"".join(new))
            if level == len(self._partial):
                self._partial.append([])
            row = self._partial[level] + new
            full = len(row) - len(row) % WIDTH
            self._partial[level], new = row[full:], row[:full]
            for _ in range(HEIGHT):
                new = parents(new)
            level += 1
        return added
