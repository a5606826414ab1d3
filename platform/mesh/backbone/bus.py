"""A service of the mesh on topics of its own: writes its records, reads them back whole.

It is the only writer of its topics, so what it wrote is all that is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded, encoded
from mesh.backbone.registry import Registry
from mesh.backbone.wire import salt_header
from mesh.errors import BackboneError, Unreachable

__all__ = ["Bus"]

TIMEOUT_S = 30.0
Schemas = Mapping[str, dict[str, object]]


class Bus:
    """One principal's hand on its own topics, which *schemas* names, each with its schema."""

    def __init__(self, endpoint: Endpoint, principal: Principal, schemas: Schemas) -> None:
        self.endpoint, self.principal, self._schemas = endpoint, principal, schemas
        self._ids: dict[str, int] = {}
        config = {**endpoint.client(principal), "enable.idempotence": True, "linger.ms": 0}
        self._producer = Producer(config)
        self._lock = threading.Lock()

    def write(self, topic: str, key: str, record: Mapping[str, Any] | None) -> int:
        """Write *record*, or a tombstone, and return its offset once the broker has it.

        Raises a `BackboneError` where it does not take it. Any thread may write.
        """
        value = None
        if record is not None:
            value = encoded(self.schema_id(topic), self._schemas[topic], record)
        # One at a time: a flush hands out the reports of all that is under way, so another's
        # could end before it has been told of its own, and would purge what is not.
        with self._lock:
            return self._written(topic, key, value)

    def _written(self, topic: str, key: str, value: bytes | None) -> int:
        told: list[tuple[KafkaError | None, Message]] = []
        try:
            self._producer.produce(
                topic,
                key=key,
                value=value,
                headers=salt_header(),
                on_delivery=lambda *each: told.append(each),
            )
            self._producer.flush(TIMEOUT_S)
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"write {topic}") from exception
        except BufferError as error:
            raise Unreachable(f"Kafka does not take what is written to {topic}") from error
        if not told:
            self._producer.purge()
            raise Unreachable(f"Kafka did not take a message of {topic} in {TIMEOUT_S:.0f} s")
        failure, message = told[0]
        if failure is not None:
            raise kafka_error(failure, f"write {topic}")
        return int(message.offset() or 0)

    def whole(self, topic: str) -> Iterator[tuple[str, dict[str, Any] | None, int, int]]:
        """Key, record (None: a tombstone), offset and broker's time (ms) of every message."""
        config = {
            **self.endpoint.client(self.principal),
            "group.id": f"{self.principal.name}.whole",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
        consumer = Consumer(config)
        try:
            consumer.assign([TopicPartition(topic, 0, 0)])
            for message in messages(consumer, topic):
                value = message.value()
                record = None if value is None else decoded(value, self._schemas[topic])
                key = (message.key() or b"").decode(errors="replace")
                yield key, record, int(message.offset() or 0), int(message.timestamp()[1])
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"read {topic}") from exception
        finally:
            consumer.close()

    def schema_id(self, topic: str) -> int:
        """The id under which the schema of one of our topics is registered."""
        if topic not in self._ids:
            with Registry(self.endpoint) as registry:
                found = registry.find(f"{topic}-value", self._schemas[topic])
            if found is None:
                raise BackboneError(
                    f"no schema of {topic} is registered: `mesh up` or `mesh provision` does it"
                )
            self._ids[topic] = found
        return self._ids[topic]


def messages(consumer: Consumer, topic: str) -> Iterator[Message]:
    """Every message up to the end of partition 0, as it is when it is reached."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        message = consumer.poll(1.0)
        if message is None:
            if time.monotonic() > deadline:
                raise Unreachable(f"Kafka did not hand out {topic} in {TIMEOUT_S:.0f} s")
            continue
        error = message.error()
        if error is None:
            deadline = time.monotonic() + TIMEOUT_S
            yield message
        elif error.code() == KafkaError._PARTITION_EOF:
            return
        elif not error.retriable() and error.code() != KafkaError._TRANSPORT:
            raise KafkaException(error)
