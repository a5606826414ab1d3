"""A consumer that follows topics for ever, told by its owner where each partition goes on.

Not here: which topics there are (`public_topics`), and what becomes of their messages.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal

__all__ = ["Place", "follower", "place_of", "watermarks"]

Place = tuple[str, int]
TIMEOUT_S = 15.0


def follower(
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


def watermarks(consumer: Consumer, place: Place, timeout_s: float = TIMEOUT_S) -> tuple[int, int]:
    """The first offset of a partition, and the one after its last. Raises a `BackboneError`."""
    try:
        low, high = consumer.get_watermark_offsets(TopicPartition(*place), timeout_s)
    except KafkaException as exception:
        raise kafka_error(exception.args[0], f"read {place[0]}") from exception
    return int(low), int(high)
