"""A read_committed consumer that looks on while everything is broken, and forgets nothing.

Plain confluent-kafka and fastavro: what it says does not rest on the code that is tried.
"""

from __future__ import annotations

import io
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from mesh.backbone.registry import Registry
from mesh.drills.bed import Bed
from mesh.drills.truth import Posting, Total
from mesh.errors import MeshError

__all__ = ["Seen", "Watcher"]

PORTS = ("postings", "totals")
END_TIMEOUT_S = 60.0
SCHEMA_BYTES = 5


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Seen:
    """One message: its place and its raw value."""

    topic: str
    partition: int
    offset: int
    value: bytes | None


class Watcher:
    """A thread that reads both output topics from their beginning, as things become visible."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._topics = {port: bed.contract(port).topic for port in PORTS}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.seen: list[Seen] = []
        self.count = 0
        self.trouble = ""

    def start(self) -> None:
        """Begin to look on."""
        self._thread.start()

    def end(self) -> None:
        """Look away."""
        self._stop.set()
        self._thread.join()

    def await_end(self) -> int:
        """Wait until all was seen that is there; how much of it was seen otherwise.

        Another consumer reads both topics once more, from the beginning.
        """
        self._await_no_transaction()
        there = sorted(read_to_the_end(self._bed, list(self._topics.values())))
        deadline = time.monotonic() + END_TIMEOUT_S
        while len(self.seen) < len(there) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # for what should not come
        return len(set(there) ^ set(self.seen)) + abs(len(there) - len(self.seen))

    def _await_no_transaction(self) -> None:
        """Wait until no transaction hides the end of a topic from who reads what is committed."""
        topics = list(self._topics.values())
        deadline = time.monotonic() + END_TIMEOUT_S
        while ends(self._bed, topics, "read_committed") != ends(
            self._bed, topics, "read_uncommitted"
        ):
            if time.monotonic() > deadline:
                raise MeshError("a transaction is still open, so the drill cannot see the end")
            time.sleep(0.5)

    def postings(self) -> list[Posting]:
        """The event port's messages, as they were seen."""
        return [Posting(partition=each.partition, **row) for each, row in self._rows("postings")]

    def totals(self) -> list[Total]:
        """The state port's messages, as they were seen."""
        return [Total(**row) for _, row in self._rows("totals")]

    def _rows(self, port: str) -> Iterator[tuple[Seen, dict[str, Any]]]:
        with Registry(self._bed.endpoint) as registry:
            for each in self.seen:
                if each.topic != self._topics[port]:
                    continue
                if each.value is None:
                    raise MeshError(f"a drill deletes nothing, and {each} is a tombstone")
                schema = registry.schema(int.from_bytes(each.value[1:SCHEMA_BYTES])) or {}
                payload = io.BytesIO(each.value[SCHEMA_BYTES:])
                row: Any = fastavro.schemaless_reader(payload, schema, None)
                yield each, row

    def _watch(self) -> None:
        consumer = open_consumer(self._bed, list(self._topics.values()))
        try:
            while not self._stop.is_set():
                for message in consumer.consume(500, 0.1):
                    error = message.error()
                    if error is None:
                        self.seen.append(seen(message))
                        self.count += message.topic() == self._topics["postings"]
                    elif error.code() == KafkaError._AUTO_OFFSET_RESET:
                        self.trouble = f"the watcher lost its place: {error.str()}"
        finally:
            consumer.close()


def open_consumer(bed: Bed, topics: Sequence[str], isolation: str = "read_committed") -> Consumer:
    """A consumer of all partitions of *topics*, from their beginning."""
    consumer = Consumer(
        {
            **bed.client(),
            "group.id": f"drill.{secrets.token_hex(4)}",
            "isolation.level": isolation,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
        }
    )
    partitions = range(bed.contract(PORTS[0]).partitions)
    consumer.assign([TopicPartition(topic, each, 0) for topic in topics for each in partitions])
    return consumer


def ends(bed: Bed, topics: Sequence[str], isolation: str) -> list[tuple[int, int]]:
    """The first offset and the one after the last of every partition, as *isolation* shows them."""
    consumer = open_consumer(bed, topics, isolation)
    try:
        return [
            consumer.get_watermark_offsets(each, END_TIMEOUT_S, cached=False)
            for each in consumer.assignment()
        ]
    finally:
        consumer.close()


def read_to_the_end(bed: Bed, topics: Sequence[str]) -> list[Seen]:
    """Everything committed on *topics*."""
    consumer = open_consumer(bed, topics)
    found: list[Seen] = []
    left = {(each.topic, each.partition) for each in consumer.assignment()}
    deadline = time.monotonic() + END_TIMEOUT_S
    try:
        while left:
            for message in consumer.consume(500, 0.2):
                error = message.error()
                if error is None:
                    found.append(seen(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard((message.topic() or "", message.partition() or 0))
                elif not error.retriable():
                    raise KafkaException(error)
            if time.monotonic() > deadline:
                raise MeshError(f"the drill could not read {', '.join(topics)} to the end")
    finally:
        consumer.close()
    return found


def seen(message: object) -> Seen:
    """A message of confluent-kafka as a value."""
    get = {name: getattr(message, name)() for name in ("topic", "partition", "offset", "value")}
    return Seen(**get)
