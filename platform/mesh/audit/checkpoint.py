"""A checkpoint: which log, how many entries, which root. Source: C2SP tlog-checkpoint."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from mesh.audit.merkle import EMPTY_ROOT, HASH_BYTES
from mesh.audit.note import LogKey, SigningKey, opened, signed, unbase64
from mesh.errors import Unproven

__all__ = ["Checkpoint"]

MOST_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a log says of itself when it has *size* entries."""

    origin: str
    size: int
    root: bytes

    def note(self, key: SigningKey) -> str:
        """The checkpoint, signed."""
        root = base64.b64encode(self.root).decode()
        return signed(f"{self.origin}\n{self.size}\n{root}\n", key)

    @classmethod
    def opened(cls, note: str, key: LogKey) -> Checkpoint:
        """The checkpoint in *note*, if *key*, or the log's own below it, has signed it.

        Raises `Unproven`.
        """
        lines = opened(note, key.of(note.partition("\n")[0])).split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise Unproven("the note is no checkpoint: origin, size, root")
        origin, digits, encoded = lines[:3]
        root = unbase64(encoded)
        is_number = digits.isascii() and digits.isdigit() and str(int(digits[:20])) == digits
        if not is_number or len(digits) > MOST_DIGITS or root is None or len(root) != HASH_BYTES:
            raise Unproven("the checkpoint's size or root is none")
        if digits == "0" and root != EMPTY_ROOT:
            raise Unproven("the checkpoint says that it is empty, and has another root")
        if origin != key.name and not origin.startswith(f"{key.name}/"):
            raise Unproven(f"the checkpoint is of {origin}, and the key of {key.name}")
        return cls(origin=origin, size=int(digits), root=root)
