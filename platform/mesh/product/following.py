"""A consumer that follows topics for ever, told by its owner where each partition goes on.

Not here: which topics there are (`public_topics`), and what becomes of their messages.
"""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaError, Message

from mesh.backbone.endpoint import Endpoint, Principal

__all__ = ["Place", "follower", "place_of"]

Place = tuple[str, int]


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
