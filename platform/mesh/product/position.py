"""How far a product (or feed) has come: the offsets it has taken in, and what it has published.

Values only; they stand in the storage (`storage`) and in Kafka (`relay`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pyarrow as pa

__all__ = ["Batch", "Offsets", "Position", "offsets_from"]

# By topic and partition, the offset that comes next.
Offsets = dict[str, dict[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What was published last: *offsets* are the next ones of every input partition."""

    batch: str
    seq: int
    offsets: Offsets

    def to_json(self) -> bytes:
        """The position as it stands in Kafka."""
        return json.dumps({"batch": self.batch, "seq": self.seq, "offsets": self.offsets}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Position:
        """A position read from Kafka."""
        document = json.loads(text)
        return cls(
            batch=document["batch"],
            seq=document["seq"],
            offsets=offsets_from(document["offsets"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One committed batch of the storage with its outbox."""

    id: str
    seq: int
    offsets: Offsets
    outbox: pa.Table = field(repr=False)

    @property
    def position(self) -> Position:
        """The position that says this batch is published."""
        return Position(batch=self.id, seq=self.seq, offsets=self.offsets)


def offsets_from(document: dict[str, dict[str, int]]) -> Offsets:
    """Offsets from JSON, whose keys are text."""
    return {
        topic: {int(partition): offset for partition, offset in partitions.items()}
        for topic, partitions in document.items()
    }
