"""The relay: publishes whole batches of the outbox, each in one Kafka transaction.

The position (which batch, which sequence number, which input offsets) is a record in the
same transaction and lives in Kafka only. After any error the producer is thrown away:
what became of the open transaction is read back, never guessed, and no commit is retried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from mesh.backbone.admin import kafka_error, translated
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import MeshError, Unreachable
from mesh.product.envelope import Outgoing, outgoing
from mesh.product.failpoints import COMMIT, patience, reach
from mesh.product.position import Batch, Position
from mesh.product.readback import last_message, reader

__all__ = ["Relay", "RelayFailed", "produce", "produce_all", "read_position"]

# After a kill the broker ends our transaction within this time, and readers go on.
TRANSACTION_TIMEOUT_MS = 10_000
INIT_TIMEOUT_S = 15.0
INIT_SLICE_S, INIT_PAUSE_S = 1.0, 0.05
POSITION_KEY = b"position"


class RelayFailed(MeshError):
    """A publication failed; whether it took place must be read back."""


class Relay:
    """The only producer of one product (or feed)."""

    def __init__(
        self, endpoint: Endpoint, principal: Principal, *, position_topic: str, source: str
    ) -> None:
        self._endpoint = endpoint
        self._principal = principal
        self._position_topic = position_topic
        self._source = source
        self._producer: Producer | None = None
        self._under_way: str | None = None
        self._refusal: KafkaError | None = None

    def open(self, should_stop: Callable[[], bool] = lambda: False) -> Position | None:
        """Fence every earlier producer, then read what was published last.

        Raises a `BackboneError` while Kafka is away or refuses; may be called again.
        """
        self.close()
        self._refusal = None
        producer = Producer(
            {
                **self._endpoint.client(self._principal),
                "transactional.id": self._position_topic,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "compression.type": "lz4",
                # Of a large batch, fewer requests; of a small one nothing: a commit sends at once.
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                # Of 1 GB by default; `produce` waits while it is full.
                "queue.buffering.max.kbytes": 16_384,
                "error_cb": self._note,
            }
        )
        try:
            reach("initializing", lambda: ask_to_initialize(producer))
            initialize(producer, should_stop)
            reach("initialized")
            position = read_position(self._endpoint, self._principal, self._position_topic)
        except KafkaException as exception:
            # A login that is refused is tried for ever, and looks like a broker that is late.
            producer.poll(0)
            error = self._refusal or exception.args[0]
            if error.retriable():
                raise Unreachable(f"Kafka is not ready ({error.str()})") from exception
            raise kafka_error(error, "open the relay") from exception
        self._producer = producer
        return position

    def position(self) -> Position | None:
        """What was published last; fences nobody. Raises a `BackboneError`."""
        where = (self._endpoint, self._principal, self._position_topic)
        return translated(lambda: read_position(*where), "read the position")

    def close(self) -> None:
        """Forget the producer; an open transaction is left to the fence or the time-out."""
        self._under_way = None
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def hand_over(self, batch: Batch) -> None:
        """Begin to publish *batch*: the client sends it while the caller does something else.

        Only `publish` commits it, and must be asked next. Raises `RelayFailed`, as it does.
        """
        with self._failing() as producer:
            producer.begin_transaction()
            produce_all(producer, self._messages(batch))
        self._under_way = batch.id

    def publish(self, batch: Batch) -> None:
        """Publish *batch* and its position in one transaction.

        Raises `RelayFailed`; then only `open` says whether it was published.
        """
        if self._under_way != batch.id:
            self.hand_over(batch)
        self._under_way = None
        with self._failing() as producer:
            reach("half-published", producer.flush)
            produce(producer, (self._position_topic, batch.position.to_json(), POSITION_KEY, {}))
            reach("before-commit", producer.flush)
            # Without a time-out, but in a drill: what a shorter one leaves open cannot be told.
            producer.commit_transaction(patience(COMMIT))
        reach("committed")

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION:
            self._refusal = error

    @contextmanager
    def _failing(self) -> Iterator[Producer]:
        """The producer; after an error it is thrown away."""
        if self._producer is None:
            raise RelayFailed("the relay is not open")
        try:
            yield self._producer
        except KafkaException as exception:
            self._producer = None
            raise RelayFailed(f"publication failed: {exception.args[0].str()}") from exception

    def _messages(self, batch: Batch) -> Iterator[Outgoing]:
        """The outbox as `produce` takes it, one after the other."""
        return outgoing(batch.outbox, self._source)


def read_position(endpoint: Endpoint, principal: Principal, topic: str) -> Position | None:
    """The last committed position on *topic*, or None where nothing was ever published.

    Raises a `KafkaException` where Kafka refuses, or does not answer.
    """
    consumer = reader(endpoint, principal, "relay")
    try:
        found = last_message(consumer, topic)
        value = None if found is None else found.value()
        return None if value is None else Position.from_json(value)
    finally:
        consumer.close()


def initialize(producer: Producer, should_stop: Callable[[], bool]) -> None:
    """Fence every earlier producer of the same id. Raises `KafkaException`, also if stopped."""
    deadline = time.monotonic() + INIT_TIMEOUT_S
    while True:
        try:
            producer.init_transactions(INIT_SLICE_S)
        except KafkaException as exception:
            # Late, or our last transaction is still being ended: the next call goes on.
            is_passing = exception.args[0].retriable()
            if not is_passing or time.monotonic() > deadline or should_stop():
                raise
            time.sleep(INIT_PAUSE_S)
        else:
            return


def ask_to_initialize(producer: Producer) -> None:
    """Begin to fence, and do not wait for what becomes of it."""
    with suppress(KafkaException):
        producer.init_transactions(0.02)


def produce_all(producer: Producer, messages: Iterable[Outgoing]) -> None:
    """Hand over messages: half of what publishing takes, so that nothing else is done here."""
    hand_over = producer.produce
    for topic, value, key, headers in messages:
        try:
            hand_over(topic, value, key, headers=headers)
        except BufferError:
            produce(producer, (topic, value, key, headers))


def produce(producer: Producer, message: Outgoing, **options: Any) -> None:
    """Hand over one message, waiting while the local queue is full; *options* are of `produce`."""
    topic, value, key, headers = message
    while True:
        try:
            producer.produce(topic, value, key, headers=headers, **options)
        except BufferError:
            producer.poll(0.05)
        else:
            return
