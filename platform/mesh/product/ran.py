"""What one run of a product really took in and published, by topic.

Counted where it happens: messages once their rows are committed, messages once their Kafka
transaction is. Not here: what the descriptor says (`plan`), and whom it is told
(`mesh.observe`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Flow", "Moment", "MomentKind", "Ran"]

MomentKind = Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How many messages of one topic, and when they first and last went."""

    messages: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A run at an instant: what it has *read* and *written* since it began, by topic."""

    run: str
    kind: MomentKind
    at: datetime
    read: Mapping[str, Flow]
    written: Mapping[str, Flow]
    reason: str = ""


class Ran:
    """One run. The runtime counts; others ask for the moment."""

    def __init__(self) -> None:
        self.run = str(uuid.uuid4())
        self._read: dict[str, Flow] = {}
        self._written: dict[str, Flow] = {}
        # Told of the first message of each topic, by the thread that counts.
        self.tell: Callable[[Moment], None] | None = None

    @staticmethod
    def sizes(messages: Mapping[str, Sized]) -> dict[str, int]:
        """How many messages there are by topic, to be counted once they are taken in."""
        return {topic: len(each) for topic, each in messages.items()}

    def took(self, counts: Mapping[str, int]) -> None:
        """Count messages by topic, whose rows are committed."""
        self._count(self._read, counts)

    def published(self, outbox: pa.Table) -> None:
        """Count messages whose Kafka transaction is committed."""
        counts = pc.value_counts(outbox["topic"].combine_chunks()).to_pylist()
        self._count(self._written, {each["values"]: each["counts"] for each in counts})

    def moment(self, kind: MomentKind, reason: str = "") -> Moment:
        """The run as it is now."""
        return Moment(
            run=self.run,
            kind=kind,
            at=datetime.now(UTC),
            read=dict(self._read),
            written=dict(self._written),
            reason=reason,
        )

    def _count(self, flows: dict[str, Flow], counts: Mapping[str, int]) -> None:
        now, is_new = datetime.now(UTC), False
        for topic, count in counts.items():
            before = flows.get(topic)
            is_new |= before is None
            flows[topic] = Flow(
                messages=count + (before.messages if before else 0),
                first_at=before.first_at if before else now,
                last_at=now,
            )
        if is_new and self.tell is not None:
            self.tell(self.moment("RUNNING"))
