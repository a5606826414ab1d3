"""A change audit log in memory, for tests, with messages for it, and the strangers who check it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.entry import ENTRY_BYTES, Columns, bundle, sealed
from mesh.audit.merkle import HASH_BYTES, inclusion_proof, leaf_hashes, tree_hash
from mesh.audit.note import SigningKey
from mesh.audit.origin import LogName
from mesh.audit.proof import Proof
from mesh.audit.tiles import WIDTH, Growth, Tile, level_sizes, nodes_of

__all__ = ["NAME", "Log", "columns", "go_or_skip_reason", "ran_stranger", "salt"]

NAME = LogName(mesh="mesh.test/audit", topic="pub.a.b.c.v1", topic_id=bytes(range(16)), partition=3)
STRANGERS = Path(__file__).parent / "strangers"


def key_of(name: str) -> SigningKey:
    """The same key for every name."""
    return SigningKey(name=name, private=Ed25519PrivateKey.from_private_bytes(bytes(32)))


def salt(number: int) -> bytes:
    """A salt that is not random, so that a test is repeated as it was."""
    return number.to_bytes(32, "big")


def columns(count: int, begin: int = 0, *, is_salted: bool = True) -> Columns:
    """Messages at every second offset, since markers of transactions take some too."""
    numbers = range(begin, begin + count)
    return Columns(
        offsets=[2 * each for each in numbers],
        timestamps_ms=[1_000 + each for each in numbers],
        headers=[
            [("ce_id", b"x"), *([("salt", salt(each))] if is_salted else [])] for each in numbers
        ],
        keys=[f"key-{each % 7}".encode() for each in numbers],
        values=[None if each % 5 == 4 else f"value-{each}".encode() for each in numbers],
    )


@dataclass(slots=True)
class Log:
    """One log in memory."""

    name: LogName = NAME
    entries: bytes = b""
    openings: list[bytes | None] = field(default_factory=list)
    levels: list[bytearray] = field(default_factory=list)

    def read(self, level: int, begin: int, end: int) -> bytes:
        """Hashes of a level of tiles."""
        return bytes(self.levels[level][begin * HASH_BYTES : end * HASH_BYTES])

    @property
    def size(self) -> int:
        """How many entries it has."""
        return len(self.openings)

    @property
    def key(self) -> SigningKey:
        """The key of the log."""
        return key_of(str(self.name))

    def add(self, messages: Columns, *, needs_salt: bool = False) -> None:
        """Append messages."""
        growth = Growth(self.size, self.read)
        entries, openings = sealed(
            messages, self.name.topic_id, self.name.partition, needs_salt=needs_salt
        )
        for level, data in enumerate(growth.add(leaf_hashes(entries, ENTRY_BYTES))):
            if level == len(self.levels):
                self.levels.append(bytearray())
            self.levels[level] += data
        self.entries += entries
        self.openings += openings

    def checkpoint(self, size: int | None = None) -> str:
        """The signed checkpoint of the first *size* entries."""
        size = self.size if size is None else size
        root = tree_hash(nodes_of(self.read), size)
        return Checkpoint(origin=str(self.name), size=size, root=root).note(self.key)

    def entry(self, index: int) -> bytes:
        """One entry."""
        return self.entries[index * ENTRY_BYTES : (index + 1) * ENTRY_BYTES]

    def proof(self, index: int) -> Proof:
        """The proof of one entry."""
        return Proof(
            entry=self.entry(index),
            opening=self.openings[index],
            index=index,
            hashes=tuple(inclusion_proof(nodes_of(self.read), index, self.size)),
            checkpoint=self.checkpoint(),
        )

    def write(self, folder: Path) -> None:
        """Write checkpoint, tiles and entries under their C2SP names."""
        folder.mkdir(parents=True)
        (folder / "checkpoint").write_text(self.checkpoint())
        for level, size in enumerate(level_sizes(self.size)):
            for tile in tiles(level, size):
                put(folder / "tile" / tile.name, self.read(level, tile.begin, tile.end))
                if level == 0:
                    data = self.entries[tile.begin * ENTRY_BYTES : tile.end * ENTRY_BYTES]
                    put(folder / "tile/entries" / tile.name.partition("/")[2], bundle(data))


def tiles(level: int, size: int) -> list[Tile]:
    """The tiles of a level of *size* hashes."""
    return [
        Tile(level=level, index=at // WIDTH, width=min(WIDTH, size - at))
        for at in range(0, size, WIDTH)
    ]


def put(path: Path, data: bytes) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def go_or_skip_reason() -> str | None:
    """Why strangers cannot check: there is no Go, or no module proxy; None where they can."""
    if shutil.which("go") is None:
        return "there is no Go on this machine: install it, and strangers check the log too"
    fetched = subprocess.run(
        ["go", "mod", "download"], cwd=STRANGERS, capture_output=True, text=True, check=False
    )
    return f"Go cannot fetch its modules: {fetched.stderr[-200:]}" if fetched.returncode else None


def ran_stranger(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the stranger's program, which is compiled once a folder."""
    if not program.exists():
        subprocess.run(["go", "build", "-o", str(program), "."], cwd=STRANGERS, check=True)
    return subprocess.run(
        [str(program), *map(str, arguments)], capture_output=True, text=True, check=False
    )
