"""The list of the files that an embedded backbone is made of, with their SHA-256 sums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LOCK_FILE", "Item", "Lock", "read_lock"]

LOCK_FILE = Path(__file__).with_name("jars.lock.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of a Maven repository: `group:artifact:version[:extension[:classifier]]`."""

    coordinates: str
    size: int
    sha256: str

    @property
    def path(self) -> str:
        """Its path in a repository of Maven's layout."""
        group, artifact, version, *rest = self.coordinates.split(":")
        extension = rest[0] if rest else "jar"
        classifier = f"-{rest[1]}" if len(rest) > 1 else ""
        name = f"{artifact}-{version}{classifier}.{extension}"
        return f"{group.replace('.', '/')}/{artifact}/{version}/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The files that make up a backbone."""

    jars: tuple[Item, ...]
    registry: Item
    digest: str


def read_lock(path: Path = LOCK_FILE) -> Lock:
    """Read a lock file."""
    text = path.read_bytes()
    document = json.loads(text)
    items = {
        part: tuple(
            Item(coordinates=each["gav"], size=each["size"], sha256=each["sha256"])
            for each in document[part]
        )
        for part in ("kafka", "apicurio")
    }
    (registry,) = items["apicurio"]
    return Lock(
        jars=items["kafka"], registry=registry, digest=hashlib.sha256(text).hexdigest()[:16]
    )
