"""A proof that somebody takes away: entry, inclusion, checkpoint and what opens the entry.

It is checked with nothing but the log's key: no mesh, no network, no clock.
Source: C2SP tlog-proof; its *extra* data is our entry, followed by the opening unless erased.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.entry import ENTRY_BYTES, Entry, Message, unopened
from mesh.audit.merkle import is_included, leaf_hash
from mesh.audit.note import LogKey, unbase64
from mesh.audit.origin import LogName
from mesh.errors import Unproven

__all__ = ["LARGEST", "Proof", "Proven", "verified"]

HEADER = "c2sp.org/tlog-proof@v1"
# Far above any message with its proof; what is larger is not even looked at.
LARGEST = 8 * 1024 * 1024
MOST_HASHES = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof as it is written down."""

    entry: bytes
    opening: bytes | None
    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        """The text of a `.tlog-proof` file."""
        extra = base64.b64encode(self.entry + (self.opening or b"")).decode()
        hashes = [base64.b64encode(each).decode() for each in self.hashes]
        lines = [HEADER, f"extra {extra}", f"index {self.index}", *hashes, "", self.checkpoint]
        return "\n".join(lines)

    @classmethod
    def parse(cls, text: str) -> Proof:
        """The proof in *text*. Raises `Unproven` where it is none."""
        above, _, checkpoint = text.partition("\n\n")
        lines = above.split("\n")
        if len(text) > LARGEST or len(lines) < 3 or lines[0] != HEADER:
            raise Unproven(f"this is no proof: it begins with the line {HEADER}")
        extra = unbase64(lines[1].removeprefix("extra "))
        index = lines[2].removeprefix("index ")
        hashes = [unbase64(each) for each in lines[3:]]
        found = [each for each in hashes if each is not None]
        is_number = index.isascii() and index.isdigit() and str(int(index[:20])) == index
        if extra is None or not is_number or len(found) < len(hashes) or len(found) > MOST_HASHES:
            raise Unproven("the proof is malformed: extra data, an index, hashes, a checkpoint")
        return cls(
            entry=extra[:ENTRY_BYTES],
            opening=extra[ENTRY_BYTES:] or None,
            index=int(index),
            hashes=tuple(found),
            checkpoint=checkpoint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What a proof has shown: the *log* has the *entry*; *message* is None where it was erased."""

    log: LogName
    index: int
    size: int
    entry: Entry
    message: Message | None


def verified(text: str, key: LogKey) -> Proven:
    """What the proof in *text* shows to whoever trusts *key* alone. Raises `Unproven`."""
    proof = Proof.parse(text)
    checkpoint = Checkpoint.opened(proof.checkpoint, key)
    leaf = leaf_hash(proof.entry)
    if not is_included(
        leaf, proof.index, checkpoint.size, proof=proof.hashes, root=checkpoint.root
    ):
        raise Unproven(
            "the entry is not in the tree of the checkpoint: entry, index, proof or checkpoint "
            "was altered, or they do not belong together"
        )
    entry, log = Entry.parse(proof.entry), LogName.parse(checkpoint.origin)
    if (entry.topic_id, entry.partition) != (log.topic_id, log.partition):
        raise Unproven("the entry is of another topic or partition than its log")
    if proof.opening is not None and not entry.is_of(proof.opening):
        raise Unproven("the message is not the one that the entry commits to: it was altered")
    message = None if proof.opening is None else unopened(proof.opening)
    return Proven(log=log, index=proof.index, size=checkpoint.size, entry=entry, message=message)
