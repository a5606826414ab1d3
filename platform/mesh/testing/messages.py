"""Messages as tests see them: written raw, read to the end, decoded by another library.

What a test says of a message must not rest on the code that it tests: values are read and
written by fastavro, one by one.
"""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from mesh.backbone.registry import Registry
from mesh.backbone.wire import frame, unframe
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema

__all__ = ["decode", "encode", "read_all", "send_all"]

TIMEOUT_S = 60.0


def send_all(
    client: Mapping[str, Any], topic: str, messages: Iterable[Mapping[str, Any]]
) -> list[tuple[int, int]]:
    """Write *messages* (arguments of `Producer.produce`); the partition and offset of each."""
    # Larger than any broker takes by default, so that it is the broker who refuses.
    producer = Producer(
        {**client, "partitioner": "murmur2_random", "message.max.bytes": 2_000_000, "linger.ms": 5}
    )
    places: dict[int, tuple[int, int]] = {}
    errors: list[KafkaError] = []

    def send(number: int, message: Mapping[str, Any]) -> None:
        def delivered(error: KafkaError | None, sent: Message) -> None:
            if error is not None:
                errors.append(error)
            places[number] = (sent.partition() or 0, sent.offset() or 0)

        producer.produce(topic, **message, on_delivery=delivered)

    for number, message in enumerate(messages):
        send(number, message)
    producer.flush(TIMEOUT_S)
    if errors:
        raise KafkaException(errors[0])
    return [places[number] for number in sorted(places)]


def encode(registry: Registry, contract: Contract, row: Mapping[str, Any]) -> bytes:
    """*row* as a value of *contract*'s topic, its rules unchecked."""
    schema = avro_schema(contract)
    schema_id = registry.find(contract.subject, schema)
    if schema_id is None:
        raise LookupError(f"{contract.subject} is not registered")
    payload = io.BytesIO()
    fastavro.schemaless_writer(payload, schema, row)
    return frame(schema_id, payload.getvalue())


def decode(registry: Registry, value: bytes) -> Any:
    """One value, by the schema that it names."""
    framed = unframe(value)
    schema = registry.schema(framed[0]) if isinstance(framed, tuple) else None
    if schema is None or not isinstance(framed, tuple):
        raise LookupError(f"the registry has no schema for {framed}")
    return fastavro.schemaless_reader(io.BytesIO(framed[1]), schema, None)


def read_all(client: Mapping[str, Any], topic: str) -> list[Message]:
    """Every committed message of *topic*, each partition to its end."""
    consumer = Consumer(
        {
            **client,
            "group.id": f"workbench.{secrets.token_hex(4)}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 10,
        }
    )
    try:
        return to_the_end(consumer, topic)
    finally:
        consumer.close()


def to_the_end(consumer: Consumer, topic: str) -> list[Message]:
    """Read every partition of *topic* to its end."""
    partitions = consumer.list_topics(topic, 10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    ended: set[int | None] = set()
    deadline = time.monotonic() + TIMEOUT_S
    while len(ended) < len(partitions):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{topic} was not read to its end within {TIMEOUT_S:.0f} s")
        message = consumer.poll(0.5)
        if message is None:
            continue
        error = message.error()
        if error is None:
            found.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        else:
            raise KafkaException(error)
    return found
