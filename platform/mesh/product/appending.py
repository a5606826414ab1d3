"""Appends to a topic of a product's own that is one of its inputs (`own: true`), as its one writer.

What is not a stream enters a product so: an accepted command, say. Each append is one Kafka
transaction, and whoever opens the topic fences its writer of before. Not here: what is appended,
and whether it may be.
"""

from __future__ import annotations

import pyarrow as pa
from confluent_kafka import (
    KafkaError,
    KafkaException,
    Message,
    Producer,
)

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.errors import MeshError
from mesh.product.envelope import outgoing
from mesh.product.failpoints import reach
from mesh.product.feed import causes
from mesh.product.publishers import publisher
from mesh.product.readback import last_message, reader
from mesh.product.relay import TRANSACTION_TIMEOUT_MS, initialize, produce
from mesh.product.transform import CAUSE

__all__ = ["Appender", "Unsure"]


class Unsure(MeshError):
    """Whether it was appended is not known here: the topic knows, once it is opened again."""


class Appender:
    """Writes the one partition of *contract*'s topic; *principal* is the product's own."""

    def __init__(self, contract: Contract, endpoint: Endpoint, principal: Principal) -> None:
        self.topic = contract.topic
        self._contract, self._endpoint, self._principal = contract, endpoint, principal
        self._source = f"/{contract.domain}/{contract.product}"
        self._producer: Producer | None = None

    def open(self) -> int:
        """Fence every writer of before; the offset after the last that was ever appended.

        Raises a `BackboneError` while Kafka is away or refuses; may be called again.
        """
        self.close()
        producer = Producer(
            {
                **self._endpoint.client(self._principal),
                "transactional.id": self.topic,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "linger.ms": 0,
            }
        )
        consumer = reader(self._endpoint, self._principal, "appending")
        try:
            initialize(producer, lambda: False)
            with Registry(self._endpoint) as registry:
                self._publisher = publisher(self._contract, registry)
            last = last_message(consumer, self.topic)
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"write {self.topic}") from exception
        finally:
            consumer.close()
        self._producer = producer
        return 0 if last is None else int(last.offset() or 0) + 1

    def append(self, rows: pa.Table) -> int:
        """Append *rows* (the contract's fields) in one transaction; the offset after them.

        Raises `Unsure` where it is not known whether that took place; then `open` again.
        """
        if (producer := self._producer) is None:
            raise Unsure(f"{self.topic} is not open")
        offsets: list[int] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                offsets.append(int(message.offset() or 0))

        numbered = rows.append_column(CAUSE, pa.array(range(rows.num_rows), pa.int64()))
        outbox = self._publisher.messages(numbered, causes(self._contract, rows.num_rows))
        # A row has no offset yet: its key is what makes it one event.
        place = outbox.schema.get_field_index("id")
        outbox = outbox.set_column(place, "id", outbox["key"].cast(pa.string()))
        try:
            producer.begin_transaction()
            for message in outgoing(outbox, self._source):
                produce(producer, message, partition=0, on_delivery=delivered)
            reach("before-commit", producer.flush)
            producer.commit_transaction()
        except KafkaException as exception:
            # What a producer failed at it may not try again.
            self.close()
            raise Unsure(f"{self.topic}: {exception.args[0].str()}") from exception
        reach("committed")
        return max(offsets) + 1

    def close(self) -> None:
        """Forget the producer; an open transaction is left to the fence or the time-out."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None
