"""One log on disk: its entries, tiles and checkpoint as files, and what opens them beside.

Of a batch all else is on disk before the checkpoint; so that says what there is, and whatever
lies behind it was never promised.
Entries and hashes have a fixed length, so that a tile is a piece of the file of its level.
Not here: where messages come from (`follower`), HTTP (`door`).
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.entry import ENTRY_BYTES, Columns, Entry, bundle, sealed
from mesh.audit.files import File, put_whole, translated
from mesh.audit.merkle import HASH_BYTES, consistency_proof, inclusion_proof, leaf_hashes, tree_hash
from mesh.audit.note import SigningKey
from mesh.audit.openings import Openings
from mesh.audit.origin import LogName
from mesh.audit.proof import Proof
from mesh.audit.tiles import Growth, Tile, level_sizes, nodes_of
from mesh.errors import StorageError, Unproven

__all__ = ["Log"]

CHECKPOINT, ENTRIES, LEVEL = "checkpoint", "entries", "level-{}"
# Where in an entry the two fields stand by which it is found.
OFFSET, TIME = 22, 30


class Log:
    """The log *name* in *folder*. One thread adds to it; any may read."""

    def __init__(self, folder: Path, name: LogName, key: SigningKey) -> None:
        self.name, self.folder = name, folder
        self._key = SigningKey(name=str(name), private=key.private)
        self._files: dict[str, File] = {}
        with translated(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.note = self._last_note()
        self.size = Checkpoint.opened(self.note, self._key.log_key).size
        self._cut()
        self.openings = Openings(folder, self.size)
        self._growth = Growth(self.size, self.hashes)
        self.last_offset = self.offset_at(self.size - 1) if self.size else -1

    @property
    def key(self) -> str:
        """The key by which others check the log."""
        return str(self._key.log_key)

    def add(self, messages: Columns, *, needs_salt: bool) -> None:
        """Append *messages*, and sign for them. Raises `StorageError`; then open the log anew."""
        if not messages.offsets:
            return
        if messages.offsets[0] <= self.last_offset:
            raise StorageError(f"{self.name} has offset {messages.offsets[0]} already")
        name = self.name
        entries, openings = sealed(messages, name.topic_id, name.partition, needs_salt=needs_salt)
        begin, counts = self.size, level_sizes(self.size)
        self.openings.add(begin, messages.keys, openings)
        written = [self._written(ENTRIES, begin * ENTRY_BYTES, entries)]
        for level, data in enumerate(self._growth.add(leaf_hashes(entries, ENTRY_BYTES))):
            at = counts[level] if level < len(counts) else 0
            written.append(self._written(LEVEL.format(level), at * HASH_BYTES, data))
        # All is written before any is waited for: then the disk is waited for once, nearly.
        self.openings.sync()
        for each in written:
            each.sync()
        size = begin + len(openings)
        note = self._checkpoint(size)
        put_whole(self.folder / CHECKPOINT, note)
        # In this order: whoever reads the size first finds all that is below it.
        self.last_offset = messages.offsets[-1]
        self.size, self.note = size, note

    def hashes(self, level: int, begin: int, end: int) -> bytes:
        """Hashes of a level of tiles."""
        return self._read(LEVEL.format(level), begin * HASH_BYTES, end * HASH_BYTES)

    def entries(self, begin: int, end: int) -> bytes:
        """The entries from *begin* to before *end*."""
        return self._read(ENTRIES, begin * ENTRY_BYTES, end * ENTRY_BYTES)

    def tile(self, tile: Tile) -> bytes | None:
        """The hashes of *tile*, or None where the tree has no such tile."""
        counts = level_sizes(self.size)
        if tile.level >= len(counts) or tile.end > counts[tile.level]:
            return None
        return self.hashes(tile.level, tile.begin, tile.end)

    def bundle(self, tile: Tile) -> bytes | None:
        """The entries below a tile of level 0, or None where there are not so many."""
        return None if tile.end > self.size else bundle(self.entries(tile.begin, tile.end))

    def offset_at(self, index: int) -> int:
        """The offset of the entry at *index*."""
        at = index * ENTRY_BYTES + OFFSET
        return int.from_bytes(self._read(ENTRIES, at, at + 8), "big")

    def time_at(self, index: int) -> int:
        """When the message of the entry at *index* was written, in milliseconds."""
        at = index * ENTRY_BYTES + TIME
        return int.from_bytes(self._read(ENTRIES, at, at + 8), "big", signed=True)

    def index_of(self, offset: int) -> int | None:
        """Where the entry of *offset* stands, or None where there is none."""
        size = self.size
        index = bisect_left(range(size), offset, key=self.offset_at)
        return index if index < size and self.offset_at(index) == offset else None

    def proof(self, index: int, *, is_opened: bool) -> Proof:
        """The proof of an entry in the tree as it is now; *is_opened* with the message."""
        size, note = self._promised()
        return Proof(
            entry=self.entries(index, index + 1),
            opening=self.openings.at(index) if is_opened else None,
            index=index,
            hashes=tuple(inclusion_proof(nodes_of(self.hashes), index, size)),
            checkpoint=note,
        )

    def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of *new* entries begins with that of *old* ones."""
        return consistency_proof(nodes_of(self.hashes), old, new)

    def entry(self, index: int) -> Entry:
        """One entry."""
        return Entry.parse(self.entries(index, index + 1))

    def close(self) -> None:
        """Let go of the files."""
        self.openings.close()
        for each in self._files.values():
            each.close()
        self._files.clear()

    def _promised(self) -> tuple[int, str]:
        """Size and checkpoint, which belong together whatever is added meanwhile."""
        note = self.note
        return int(note.split("\n", 2)[1]), note

    def _last_note(self) -> str:
        try:
            return (self.folder / CHECKPOINT).read_text("utf-8")
        except FileNotFoundError:
            return self._checkpoint(0)
        except UnicodeDecodeError as error:
            raise Unproven(f"{self.name} is damaged: its checkpoint is no text") from error

    def _cut(self) -> None:
        """Cut what was written and never signed. Raises `Unproven` where signed for is more."""
        lengths = {
            LEVEL.format(n): count * HASH_BYTES for n, count in enumerate(level_sizes(self.size))
        }
        lengths[ENTRIES] = self.size * ENTRY_BYTES
        for name, length in lengths.items():
            found = self._file(name).length
            if found < length:
                raise Unproven(
                    f"{self.name} is damaged: {name} has {found} bytes, and the checkpoint "
                    f"promises {length}; put the folder {self.folder} back from a copy"
                )
        for path in [self.folder / ENTRIES, *self.folder.glob(LEVEL.format("*"))]:
            self._file(path.name).cut(lengths.get(path.name, 0))
        root = tree_hash(nodes_of(self.hashes), self.size)
        if self.note.split("\n")[:3] != self._checkpoint(self.size, root).split("\n")[:3]:
            raise Unproven(
                f"{self.name} is damaged: its tiles do not lead to the root that was signed; "
                f"put the folder {self.folder} back from a copy"
            )

    def _checkpoint(self, size: int, root: bytes | None = None) -> str:
        found = tree_hash(nodes_of(self.hashes), size) if root is None else root
        return Checkpoint(origin=str(self.name), size=size, root=found).note(self._key)

    def _written(self, name: str, at: int, data: bytes) -> File:
        file = self._file(name)
        file.write(at, data)
        return file

    def _read(self, name: str, begin: int, end: int) -> bytes:
        return self._file(name).read(begin, end)

    def _file(self, name: str) -> File:
        file = self._files.get(name)
        if file is None:
            file = self._files.setdefault(name, File(self.folder / name))
        return file
