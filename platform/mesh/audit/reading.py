"""Messages as they come from Kafka, for the log: as columns."""

from __future__ import annotations

from confluent_kafka import Message

from mesh.audit.entry import Columns

__all__ = ["columns_of"]


def columns_of(batch: list[Message]) -> Columns:
    """Messages of one partition as columns."""
    return Columns(
        offsets=[each.offset() or 0 for each in batch],
        timestamps_ms=[each.timestamp()[1] for each in batch],
        # The client's annotations allow more than it ever hands out.
        headers=[each.headers() or () for each in batch],  # type: ignore[misc]
        keys=[each.key() for each in batch],
        values=[each.value() for each in batch],
    )
