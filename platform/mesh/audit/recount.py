"""One log, computed again: its entries, tiles and openings against the root that was signed.

    recount = Recount(served, path, checkpoint, kept, findings)
    for piece in recount.pieces():
        ...                              # entries, and what opens them

It comes in pieces of one bundle, so that a log of any size is checked in little memory.
Not here: the topic that the log is of (`live`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.entry import ENTRY, ENTRY_BYTES, KINDS, VERSION, WITHHELD
from mesh.audit.findings import Fault, Findings
from mesh.audit.merkle import leaf_hashes, perfect_root, tree_hash
from mesh.audit.origin import LogName
from mesh.audit.served import Opened, Served
from mesh.audit.tiles import WIDTH, Tile, hashes_in, level_sizes, nodes_of
from mesh.errors import Unproven

__all__ = ["Piece", "Recount", "Tree", "unchecked"]

Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The entries from *begin* on, with what opens each. *sound* are those that fit their tile."""

    begin: int
    rows: Rows
    sound: npt.NDArray[np.bool_]
    opened: Opened


def unchecked(served: Served, path: str, tile: Tile) -> Piece:
    """The piece of the log at *path* below *tile*, as it is served."""
    rows = np.frombuffer(served.entries(path, tile), ENTRY)
    opened = served.opened(path, tile)
    return Piece(begin=tile.begin, rows=rows, sound=np.ones(len(rows), bool), opened=opened)


class Tree:
    """A tree whose leaves come tile by tile; of them only those at the ends of *sizes* are kept."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._wanted = {size // WIDTH for size in sizes}
        self._ends: dict[int, list[bytes]] = {}
        self._count = 0
        self.roots: list[bytes] = []

    def add(self, leaves: list[bytes]) -> None:
        """Add the next tile, of which only the last may be partial."""
        if self._count in self._wanted:
            self._ends[self._count] = leaves
        if len(leaves) == WIDTH:
            self.roots.append(perfect_root(leaves))
        self._count += 1

    def root(self, size: int) -> bytes:
        """The root of the first *size* leaves, one of the sizes that were named."""
        levels = self.levels()

        def read(level: int, begin: int, end: int) -> bytes:
            if level:
                return b"".join(levels[level - 1][begin:end])
            return b"".join(self._ends[begin // WIDTH][begin % WIDTH : begin % WIDTH + end - begin])

        return tree_hash(nodes_of(read), size)

    def levels(self) -> list[list[bytes]]:
        """The hashes of every level of tiles but the lowest."""
        levels, row = [], self.roots
        while row:
            levels.append(row)
            full = len(row) - len(row) % WIDTH
            row = [perfect_root(row[at : at + WIDTH]) for at in range(0, full, WIDTH)]
        return levels


class Recount:
    """The log at *path*, of *checkpoint*; *kept* are checkpoints of it that others kept."""

    def __init__(
        self,
        served: Served,
        path: str,
        checkpoint: Checkpoint,
        kept: Sequence[Checkpoint],
        findings: Findings,
    ) -> None:
        self._served, self._path, self._findings = served, path, findings
        self._checkpoint, self._kept = checkpoint, kept
        self.name = LogName.parse(checkpoint.origin)
        self.source = f"{self.name.topic} [{self.name.partition}]"
        sizes = [checkpoint.size, *(each.size for each in kept if each.size <= checkpoint.size)]
        self._by_entries, self._by_tiles = Tree(sizes), Tree(sizes)
        self._unlike: list[tuple[int, int]] = []
        self._last = -1

    def pieces(self) -> Iterator[Piece]:
        """Every piece, in order; what is wrong with the tree is known after the last."""
        size = self._checkpoint.size
        try:
            for begin in range(0, size, WIDTH):
                width = min(WIDTH, size - begin)
                yield self._piece(Tile(level=0, index=begin // WIDTH, width=width))
            self._judge()
        except Unproven as error:
            self._findings.add("missing", "log", self.source, words=str(error))

    def _piece(self, tile: Tile) -> Piece:
        """One piece, its entries compared with their tile and with what opens them."""
        entries = self._served.entries(self._path, tile)
        hashes = hashes_in(self._served.hashes(self._path, tile))
        leaves = leaf_hashes(entries, ENTRY_BYTES)
        self._by_entries.add(leaves)
        self._by_tiles.add(hashes)
        if len(hashes) != len(leaves):
            raise Unproven(f"the tile {tile.name} has {len(hashes)} hashes")
        rows = np.frombuffer(entries, ENTRY)
        sound = np.array([a == b for a, b in zip(leaves, hashes, strict=True)], bool)
        unlike = np.flatnonzero(~sound).tolist()
        self._unlike += [(tile.begin + at, int(rows["offset"][at])) for at in unlike]
        opened = self._served.opened(self._path, tile)
        piece = Piece(begin=tile.begin, rows=rows, sound=sound, opened=opened)
        self._check_rows(piece)
        self._check_openings(piece)
        return piece

    def _check_rows(self, piece: Piece) -> None:
        """Each entry is of this log, and comes after the one before it."""
        places = np.flatnonzero(piece.sound)
        rows = piece.rows[places]
        offsets = rows["offset"].astype(np.int64)
        before = np.concatenate([[self._last], offsets[:-1]])
        is_ours = (rows["version"] == VERSION) & (rows["kind"] < len(KINDS))
        is_ours &= rows["partition"] == self.name.partition
        is_ours &= rows["topic_id"] == np.void(self.name.topic_id)
        for is_bad, words in (
            (~is_ours, "it is of another log"),
            (offsets <= before, "it does not come after the one before it"),
        ):
            for at in np.flatnonzero(is_bad).tolist():
                self._entry("altered", piece.begin + int(places[at]), int(offsets[at]), words)
        if len(offsets):
            self._last = int(offsets[-1])

    def _check_openings(self, piece: Piece) -> None:
        """What opens an entry is what it commits to; or it is gone, and by an erasure."""
        for at in np.flatnonzero(piece.sound).tolist():
            row, opening = piece.rows[at], piece.opened.openings[at]
            if row["kind"] == WITHHELD or piece.begin + at in piece.opened.erased:
                continue
            place = f"offset {row['offset']}"
            if opening is None:
                words = "what opens its entry is gone, and no erasure has taken it"
                self._findings.add("missing", "opening", self.source, place, words=words)
            elif hashlib.sha256(opening).digest() != row["commitment"].tobytes():
                words = "what is kept of the message is not what its entry commits to"
                self._findings.add("altered", "opening", self.source, place, words=words)

    def _judge(self) -> None:
        """Compare roots: with what was signed now, and with what others kept."""
        signed, add = self._checkpoint, self._findings.add
        is_by_tiles = self._by_tiles.root(signed.size) == signed.root
        is_by_entries = self._by_entries.root(signed.size) == signed.root
        for index, offset in self._unlike:
            if is_by_entries and not is_by_tiles:
                name = Tile(level=0, index=index // WIDTH).name
                words = "its tile has another hash than its entry, which is as it was signed"
                add("altered", "tile", self.source, f"{name} (offset {offset})", words=words)
            else:
                self._entry("altered", index, offset, "it is not what was signed for")
        if not (is_by_tiles or is_by_entries):
            words = "its entries do not lead to the root that was signed"
            add("altered", "log", self.source, words=words)
        self._judge_upper_tiles((self._by_tiles if is_by_tiles else self._by_entries).levels())
        for each in self._kept:
            self._judge_kept(each)

    def _judge_upper_tiles(self, levels: list[list[bytes]]) -> None:
        """Tiles above the lowest are made of those below them."""
        for level, count in [*enumerate(level_sizes(self._checkpoint.size))][1:]:
            for begin in range(0, count, WIDTH):
                tile = Tile(level=level, index=begin // WIDTH, width=min(WIDTH, count - begin))
                wanted = levels[level - 1][tile.begin : tile.end]
                if hashes_in(self._served.hashes(self._path, tile)) != wanted:
                    words = "it is not made of the tiles below it"
                    self._findings.add("altered", "tile", self.source, tile.name, words=words)

    def _judge_kept(self, kept: Checkpoint) -> None:
        """The log begins with the one that somebody remembers."""
        now, add = self._checkpoint, self._findings.add
        if kept.size > now.size:
            words = f"its tail was dropped: it had {kept.size} entries, and has {now.size}"
            add("missing", "checkpoint", self.source, words=words)
        elif kept.size and kept.root not in (
            self._by_entries.root(kept.size),
            self._by_tiles.root(kept.size),
        ):
            words = f"it was forked: it does not begin with the {kept.size} entries of then"
            add("altered", "checkpoint", self.source, words=words)

    def _entry(self, fault: Fault, index: int, offset: int, words: str) -> None:
        place = f"entry {index} (offset {offset})"
        self._findings.add(fault, "entry", self.source, place, words=words)
