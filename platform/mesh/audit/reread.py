"""One partition of a topic, read once more in order, up to an offset at a time."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from mesh.audit.entry import Columns
from mesh.audit.reading import columns_of
from mesh.backbone.admin import kafka_error
from mesh.errors import Unreachable
from mesh.product.fetch import fetch
from mesh.product.following import Place
from mesh.product.readback import is_end

__all__ = ["TIMEOUT_S", "Reread"]

WAIT_S = 0.2
TIMEOUT_S = 30.0


class Reread:
    """What is committed on a partition, from *low* to where it ended when we came there.

    Nothing is read where nothing is before *high*.
    """

    def __init__(self, consumer: Consumer, place: Place, low: int, high: int) -> None:
        self._consumer, self._topic = consumer, place[0]
        self._waiting: list[Message] = []
        self._has_ended = low >= high
        if not self._has_ended:
            consumer.assign([TopicPartition(*place, low)])

    def until(self, offset: int) -> Columns:
        """The next messages, those before *offset*. Raises a `BackboneError`."""
        deadline = time.monotonic() + TIMEOUT_S
        waiting = self._waiting
        while not self._has_ended and (not waiting or (waiting[-1].offset() or 0) < offset):
            try:
                for message in fetch(self._consumer, WAIT_S):
                    deadline = time.monotonic() + TIMEOUT_S
                    if is_end(message):
                        self._has_ended = True
                    else:
                        waiting.append(message)
            except KafkaException as exception:
                raise kafka_error(exception.args[0], f"read {self._topic}") from exception
            if time.monotonic() > deadline:
                raise Unreachable(f"Kafka did not answer while {self._topic} was read")
        taken = [each for each in waiting if (each.offset() or 0) < offset]
        self._waiting = waiting[len(taken) :]
        return columns_of(taken)
