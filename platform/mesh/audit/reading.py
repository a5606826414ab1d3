"""Messages as they come from Kafka, for the log: as columns."""

from __future__ import annotations

from confluent_kafka import Message

from mesh.audit.entry import Columns
from mesh.product.causes import headers_of

__all__ = ["columns_of"]


def columns_of(batch: list[Message]) -> Columns:
    """Messages of one partition as columns."""
    found = [headers_of(each) for each in batch]
    return Columns(
        offsets=[each.offset() or 0 for each in batch],
        timestamps_ms=[each.timestamp()[1] for each in batch],
        headers=[each or () for each in found],
        keys=[each.key() for each in batch],
        values=[each.value() for each in batch],
        unread=[place for place, each in enumerate(found) if each is None],
    )
