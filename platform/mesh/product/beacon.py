"""A product's sign of life on Kafka, by which a second one on another storage is told.

Who runs has the one partition of the group `<product>.running`, and reads nothing from it; Kafka
gives it to another some seconds after a death. Not here: a second process on the same storage,
which DuckDB's lock keeps out, and who may publish, which the transactional id decides.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from mesh.backbone.admin import stops_client, translated
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import AlreadyRunning, Unreachable

__all__ = ["Beacon"]

# The least that a broker allows. A killed process counts as alive for so long.
SESSION_S = 6.0
HEARTBEAT_S = 1.0
# How long a start waits for another that may be dead.
PATIENCE_S = SESSION_S + 3.0
# Whoever has been given nothing for so long is not about to be given more.
SETTLED_S = 2.0
ANSWER_TIMEOUT_S = 5.0
LEAVE_TIMEOUT_S = 0.5
POLL_S = 0.1
DAY_MS = 24 * 60 * 60 * 1000


class Beacon:
    """Shows that a product runs on *storage*, a name of that very file."""

    def __init__(self, endpoint: Endpoint, principal: Principal, topic: str, storage: str) -> None:
        self._client = endpoint.client(principal)
        self._product, self._topic, self._storage = principal.name, topic, storage
        self._group = f"{principal.name}.running"
        self._consumer: Consumer | None = None
        self._thread = threading.Thread()
        self._is_over, self._is_ours = threading.Event(), threading.Event()
        self._is_fenced = threading.Event()
        self._trouble: KafkaError | None = None
        self._joined_at: float | None = None

    def claim(self, should_stop: Callable[[], bool]) -> bool:
        """Show that we run, or raise `AlreadyRunning` where another runs on another storage.

        Waits for one that may be dead; False if told to stop meanwhile. Raises a
        `BackboneError` where Kafka is away. May be called again, and looks again.
        """
        self._trouble = None
        if self._is_fenced.is_set():
            self.close()
        if self._consumer is None:
            self._join()
        deadline = time.monotonic() + PATIENCE_S
        while not should_stop():
            if self._is_fenced.is_set():
                raise Unreachable(f"Kafka took {self._product} for two of its name: it joins again")
            if self._is_ours.wait(POLL_S / 4):
                return True
            if self._trouble is not None:
                raise Unreachable(f"Kafka does not answer ({self._trouble.str()}): is it running?")
            if time.monotonic() > deadline and self._is_given_nothing():
                raise AlreadyRunning(self._refusal())
        return False

    def close(self) -> None:
        """Let others know at once that we are gone."""
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        self._is_over.set()
        self._thread.join()
        with suppress(KafkaException, RuntimeError):
            # Without this a member with a name of its own stays for as long as if it were killed.
            consumer.unsubscribe()
            deadline = time.monotonic() + LEAVE_TIMEOUT_S
            while self._is_ours.is_set() and time.monotonic() < deadline:
                consumer.poll(POLL_S / 4)
        consumer.close()
        self._is_ours.clear()

    def _join(self) -> None:
        """Become a member, and stay one without being asked again."""
        consumer = Consumer(
            {
                **self._client,
                # Told to whoever is refused.
                "client.id": f"{self._product}/{socket.gethostname()}/{os.getpid()}",
                "group.id": self._group,
                # Who had our storage is dead, since we hold the file's lock: its place is ours.
                "group.instance.id": self._storage,
                # A newcomer gets nothing that another has.
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(SESSION_S * 1000),
                "heartbeat.interval.ms": int(HEARTBEAT_S * 1000),
                "max.poll.interval.ms": DAY_MS,
                "enable.auto.commit": False,
                "error_cb": self._note,
            }
        )
        consumer.subscribe(
            [self._topic],
            on_assign=self._given,
            on_revoke=self._taken,
            on_lost=self._taken,
        )
        self._consumer, self._is_over = consumer, threading.Event()
        self._is_fenced.clear()
        self._thread = threading.Thread(
            target=self._keep_alive, args=(consumer, self._is_over), daemon=True
        )
        self._thread.start()

    def _keep_alive(self, consumer: Consumer, is_over: threading.Event) -> None:
        """Serve *consumer* until told to end; it goes on by itself from all errors that pass."""
        while not is_over.is_set():
            with suppress(KafkaException):
                message = consumer.poll(POLL_S)
                error = None if message is None else message.error()
                if error is None or error.code() != KafkaError._FATAL:
                    continue
                # Nobody else has our storage, hence its name: it is an earlier request of ours
                # that came late, as after a Kafka that was frozen. This client never goes on.
                self._is_fenced.set()
            is_over.wait(POLL_S)

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined_at = time.monotonic()
        consumer.incremental_assign(partitions)
        if partitions:
            consumer.pause(partitions)  # it is the place that counts, not what is there
            self._is_ours.set()

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        self._joined_at = None
        self._is_ours.clear()

    def _note(self, error: KafkaError) -> None:
        if stops_client(error):
            self._trouble = error

    def _is_given_nothing(self) -> bool:
        """Whether it is another's life that keeps us waiting. Raises where it is Kafka."""
        joined_at = self._joined_at
        if joined_at is not None and time.monotonic() < joined_at + SETTLED_S:
            return False
        # Not by our consumer: while its thread waits in it, a second one waits for ever.
        client = AdminClient(self._client)
        translated(lambda: client.list_topics(self._topic, ANSWER_TIMEOUT_S), "be reached")
        if self._joined_at is None:
            raise Unreachable(f"Kafka did not let {self._product} join {self._group} in time")
        # What we wait for may have come while we asked.
        return self._joined_at == joined_at and not self._is_ours.is_set()

    def _refusal(self) -> str:
        return (
            f"{self._product} already runs, on another storage ({self._other()}): a product is "
            "one process, since two would take in and publish the same rows; stop that one "
            "first, or be its standby on the same state folder"
        )

    def _other(self) -> str:
        """Who runs, as far as Kafka tells."""
        # Only here, where we are about to end: where Kafka goes away meanwhile, this request
        # has librdkafka end the process.
        client = AdminClient(self._client)
        futures = client.describe_consumer_groups([self._group], request_timeout=ANSWER_TIMEOUT_S)
        with suppress(KafkaException):
            for each in futures[self._group].result().members:
                words = str(each.client_id).split("/")
                if each.group_instance_id != self._storage and len(words) == 3:
                    return f"pid {words[2]} on {words[1]}"
        return "Kafka does not tell where"
