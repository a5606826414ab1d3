"""Reads topics back from their beginning to their end, as whoever may."""

from __future__ import annotations

import time
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import Unreachable

__all__ = ["last_message", "read_back", "reader"]

TIMEOUT_S = 15.0
CHUNK = 1000
# Of one answer, where only the last message is wanted.
LAST_TIMEOUT_S = 10.0
# Markers of transactions take offsets too: this many back there is at least one message.
LOOK_BACK = 64


def read_back(
    endpoint: Endpoint, principal: Principal, *topics: str, since_ms: int = 0
) -> Iterator[list[Message]]:
    """Everything committed on *topics* until now, in chunks, in order within a partition.

    With *since_ms*, nothing that Kafka has stamped earlier.

    Raises a `BackboneError` where Kafka is away or refuses.
    """
    consumer = reader(endpoint, principal, "readback")
    try:
        starts = []
        for topic in topics:
            metadata = consumer.list_topics(topic, TIMEOUT_S).topics[topic]
            if metadata.error is not None:
                raise KafkaException(metadata.error)
            starts += [TopicPartition(topic, number, since_ms) for number in metadata.partitions]
        consumer.assign(consumer.offsets_for_times(starts, TIMEOUT_S) if since_ms else starts)
        open_ends = {(each.topic, each.partition) for each in starts}
        deadline = time.monotonic() + TIMEOUT_S
        while open_ends:
            chunk = consumer.consume(CHUNK, 0.2)
            if chunk:
                deadline = time.monotonic() + TIMEOUT_S
            elif time.monotonic() > deadline:
                raise Unreachable(f"Kafka did not answer while {', '.join(topics)} was read")
            open_ends -= {(each.topic(), each.partition()) for each in chunk if is_end(each)}
            yield [each for each in chunk if each.error() is None]
    except KafkaException as exception:
        raise kafka_error(exception.args[0], f"read {', '.join(topics)}") from exception
    finally:
        consumer.close()


def last_message(consumer: Consumer, topic: str) -> Message | None:
    """The last message of a topic of one partition, for a consumer of `reader`.

    Raises a `KafkaException` where Kafka refuses, `Unreachable` where it does not answer.
    """
    partition = TopicPartition(topic, 0)
    low, high = consumer.get_watermark_offsets(partition, LAST_TIMEOUT_S, cached=False)
    near_end = max(low, high - LOOK_BACK)
    found = last_since(consumer, topic, near_end)
    return last_since(consumer, topic, low) if found is None and near_end > low else found


def last_since(consumer: Consumer, topic: str, start: int) -> Message | None:
    """The last message at or after *start*."""
    consumer.assign([TopicPartition(topic, 0, start)])
    found: Message | None = None
    while True:
        message = consumer.poll(LAST_TIMEOUT_S)
        if message is None:
            raise Unreachable(f"Kafka did not answer while the end of {topic} was read")
        if is_end(message):
            return found
        found = message


def reader(endpoint: Endpoint, principal: Principal, purpose: str) -> Consumer:
    """A consumer that reads what is committed, from where it is told to the end."""
    return Consumer(
        {
            **endpoint.client(principal),
            "group.id": f"{principal.name}.{purpose}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            # The default of 500 ms is what each read of an idle topic would take.
            "fetch.wait.max.ms": 10,
        }
    )


def is_end(message: Message) -> bool:
    """Whether *message* says that its partition is at its end; raises for any other error."""
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise KafkaException(error)
