"""Messages as they come from Kafka, for the log: committed ones alone, in order, as columns."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, Message

from mesh.audit.entry import Columns
from mesh.backbone.endpoint import Endpoint, Principal

__all__ = ["Place", "columns_of", "place_of", "reader"]

Place = tuple[str, int]


def reader(
    endpoint: Endpoint, principal: Principal, note: Callable[[KafkaError], None]
) -> Consumer:
    """A consumer that is told everything by us; *note* is told what troubles the whole client."""
    return Consumer(
        {
            **endpoint.client(principal),
            "group.id": f"{principal.name}.log",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": 8_192,
            "fetch.queue.backoff.ms": 10,
            "error_cb": note,
        }
    )


def place_of(message: Message) -> Place:
    """Topic and partition of a message."""
    return str(message.topic()), int(message.partition() or 0)


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
