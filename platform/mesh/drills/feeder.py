"""Feeds the ledger at a steady rate, by a plain idempotent producer that never gives up."""

from __future__ import annotations

import io
import threading
import time

import fastavro
from confluent_kafka import KafkaError, Message, Producer

from mesh.backbone.registry import Registry
from mesh.backbone.wire import frame
from mesh.contract.types import avro_schema
from mesh.drills.bed import FEEDER, Bed
from mesh.drills.truth import Entry
from mesh.errors import MeshError

__all__ = ["Feeder"]

ACCOUNTS = 40
TICK_S = 0.02
FLUSH_S = 90.0


class Feeder:
    """A thread that feeds until it is stopped. *entries* are those that the broker has taken."""

    def __init__(self, bed: Bed, rate: int) -> None:
        contract = bed.contract("entries")
        self._topic = contract.topic
        self._schema = fastavro.parse_schema(avro_schema(contract))
        with Registry(bed.endpoint) as registry:
            self._schema_id = registry.find(contract.subject, avro_schema(contract)) or 0
        self._rate = rate
        self._producer = Producer(
            {
                **bed.client(FEEDER),
                "enable.idempotence": True,
                "message.timeout.ms": 0,  # however long the broker is away
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "queue.buffering.max.messages": 1_000_000,
            }
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._errors: list[KafkaError] = []
        self.entries: dict[int, Entry] = {}
        self.count = 0

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def stop(self) -> None:
        """Stop feeding, and wait until the broker has taken everything.

        Raises `MeshError` where it did not.
        """
        self.end()
        left = self._producer.flush(FLUSH_S)
        if left or self._errors or len(self.entries) != self.count:
            reason = self._errors[0].str() if self._errors else f"{left} are left"
            raise MeshError(f"the drill could not feed, so it says nothing: {reason}")

    def end(self) -> None:
        """Stop feeding, whatever has not arrived."""
        self._stop.set()
        self._thread.join()

    def _feed(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(TICK_S):
            while self.count < (time.monotonic() - began) * self._rate:
                self._send(self.count)
                self.count += 1
            self._producer.poll(0)

    def _send(self, number: int) -> None:
        account, amount = f"account-{number % ACCOUNTS}", number * 7919 % 1000 - 300
        payload = io.BytesIO()
        row = {"number": number, "account": account, "amount": amount}
        fastavro.schemaless_writer(payload, self._schema, row)

        def delivered(error: KafkaError | None, sent: Message) -> None:
            if error is not None:
                self._errors.append(error)
                return
            self.entries[number] = Entry(
                number=number,
                account=account,
                amount=amount,
                partition=sent.partition() or 0,
                offset=sent.offset() or 0,
            )

        value = frame(self._schema_id, payload.getvalue())
        self._producer.produce(self._topic, value, str(number).encode(), on_delivery=delivered)
