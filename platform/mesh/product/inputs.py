"""The consumers of a product's input ports, from the offsets that its storage holds.

State inputs have one of their own, so that a backlog of events does not keep them waiting.
It never commits to Kafka: rows and offsets are one transaction in the storage.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from mesh.backbone.admin import kafka_error, stops_client
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.model import Contract, PortKind
from mesh.errors import StorageError, TopicDiffers
from mesh.product.fetch import fetch
from mesh.product.offsets import check_range, place
from mesh.product.position import Offsets

__all__ = ["Inputs"]

METADATA_TIMEOUT_S = 15.0
# How long one kind of inputs is waited for before the other is asked.
TURN_S = 0.005


class Inputs:
    """Reads every partition of *contracts*' topics, in order; all but *may_lose* must be whole."""

    def __init__(
        self,
        endpoint: Endpoint,
        principal: Principal,
        contracts: Sequence[Contract],
        offsets: Offsets,
        may_lose: Collection[str] = (),
    ) -> None:
        self._may_lose = may_lose
        self.contracts = {each.topic: each for each in contracts}
        self._next: Offsets = {topic: {} for topic in self.contracts}
        self._ends: Offsets = {topic: {} for topic in self.contracts}
        self._trouble: KafkaError | None = None
        # State first: what an event is joined with should be there before it.
        kinds = sorted({each.kind for each in contracts}, reverse=True)
        self.consumers = {kind: self._open(endpoint, principal) for kind in kinds}
        try:
            for kind in kinds:
                self._assign(kind, offsets)
        except BaseException:
            self.close()
            raise
        # What a recovery reads up to: the ends move while it reads.
        self.first_ends = {topic: dict(ends) for topic, ends in self._ends.items()}
        self.starts = {topic: dict(starts) for topic, starts in self._next.items()}

    def _open(self, endpoint: Endpoint, principal: Principal) -> Consumer:
        """A consumer that is told everything by us."""
        return Consumer(
            {
                **endpoint.client(principal),
                "group.id": f"{principal.name}.inputs",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
                # Both bound what waits in memory at any backlog: of small messages, librdkafka
                # would keep 100,000 a partition, and its own account of each is larger than they.
                "queued.max.messages.kbytes": 4_096,
                "queued.min.messages": 5_000,
                # A full queue would else stop the fetching for a second.
                "fetch.queue.backoff.ms": 10,
                # As compressed: what it becomes may be many times as much.
                "fetch.message.max.bytes": 256 * 1024,
                "fetch.max.bytes": 1024 * 1024,
                "error_cb": self._note,
            }
        )

    def _assign(self, kind: PortKind, offsets: Offsets) -> None:
        """Start each partition where the storage stands, or at the first offset there is."""
        partitions = []
        for topic, contract in self.contracts.items():
            if contract.kind != kind:
                continue
            self._check_partitions(topic, contract.partitions)
            for number in range(contract.partitions):
                low, high = self._watermarks(topic, number)
                start = offsets.get(topic, {}).get(number, low)
                start = max(start, low) if topic in self._may_lose else start
                check_range(topic, number, start=start, low=low, high=high)
                self._next[topic][number], self._ends[topic][number] = start, high
                partitions.append(TopicPartition(topic, number, start))
        self.consumers[kind].assign(partitions)

    def _check_partitions(self, topic: str, wanted: int) -> None:
        """Raise `TopicDiffers` where keys may have moved to other partitions."""
        try:
            metadata = self._consumer_of(topic).list_topics(topic, METADATA_TIMEOUT_S).topics[topic]
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"describe {topic}") from exception
        if metadata.error is not None:
            raise kafka_error(metadata.error, f"read {topic}")
        if len(metadata.partitions) != wanted:
            raise TopicDiffers(
                f"{topic} has {len(metadata.partitions)} partitions, its contract says {wanted}: "
                "keys may have moved, so nothing is read; make the topic what the contract says"
            )

    def _watermarks(self, topic: str, number: int, *, cached: bool = False) -> tuple[int, int]:
        """The first offset there is and the one after the last."""
        try:
            found = self._consumer_of(topic).get_watermark_offsets(
                TopicPartition(topic, number), METADATA_TIMEOUT_S, cached=cached
            )
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"read {topic}") from exception
        return int(found[0]), int(found[1])

    def drain(self, timeout_s: float) -> dict[str, list[Message]]:
        """What has arrived, by topic, in order of offset; waits *timeout_s* for the first.

        Raises `StorageError` where a topic no longer holds what comes next, `Unreachable`
        where no broker answers; then what was drained since the last batch is lost to us.
        """
        batch: dict[str, list[Message]] = {}
        messages = self._fetch(timeout_s)
        events = [message for message in messages if message.error() is not None]
        if events:
            messages = [message for message in messages if message.error() is None]
        topics = [str(message.topic()) for message in messages]
        for topic in dict.fromkeys(topics):
            found = zip(messages, topics, strict=True)
            batch[topic] = [message for message, its in found if its == topic]
        for topic, partitions in self.next_offsets(batch).items():
            self._next[topic].update(partitions)
        for event in events:
            self._event(event)
        return batch

    def _fetch(self, timeout_s: float) -> list[Message]:
        """What has arrived, up to a batch of each kind."""
        deadline = time.monotonic() + timeout_s
        # With two kinds to wait for, each is asked in turn.
        patience = timeout_s if len(self.consumers) == 1 else min(timeout_s, TURN_S)
        while True:
            messages: list[Message] = []
            for consumer in self.consumers.values():
                messages += fetch(consumer, 0 if messages else patience)
            if messages:
                self._trouble = None
            elif self._trouble is not None:
                raise kafka_error(self._trouble, "read its inputs")
            if messages or time.monotonic() >= deadline:
                return messages

    def _note(self, error: KafkaError) -> None:
        """Keep what stops the whole client; it goes on by itself from all else."""
        if stops_client(error):
            self._trouble = error

    def _event(self, message: Message) -> None:
        """Take note of an end of partition or an error among the messages."""
        error = message.error()
        assert error is not None  # noqa: S101 - the caller's condition, for the type checker
        if error.code() == KafkaError._PARTITION_EOF:
            topic, partition, offset = place(message)
            # Transaction markers take offsets, so the end may lie above the last message.
            self._next[topic][partition] = max(self._next[topic][partition], offset)
            self._ends[topic][partition] = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise StorageError(
                f"{message.topic()} no longer holds what comes next ({error.str()}): "
                "the topic was made anew or its retention has passed; "
                "remove the product's storage to start from what is there"
            )
        elif not error.retriable():
            raise kafka_error(error, f"read {message.topic()}")

    def next_offsets(self, batch: dict[str, list[Message]]) -> Offsets:
        """The offsets after *batch*."""
        # In order of offset, so that the last of a partition counts.
        lasts = {
            topic: {message.partition(): message for message in messages}
            for topic, messages in batch.items()
        }
        return {
            topic: {int(n or 0): int(message.offset() or 0) + 1 for n, message in last.items()}
            for topic, last in lasts.items()
        }

    def passed(self, known: Offsets) -> Offsets:
        """*known* offsets, and where those partitions have nothing more before: there."""
        return {
            topic: {n: max(o, self._next.get(topic, {}).get(n, o)) for n, o in each.items()}
            for topic, each in known.items()
        }

    def has_reached(self, offsets: Offsets) -> bool:
        """Whether everything before *offsets* was drained; gaps of compaction count as drained."""
        return all(
            self._next.get(topic, {}).get(number, offset) >= offset
            for topic, partitions in offsets.items()
            for number, offset in partitions.items()
        )

    def check_holds(self, offsets: Offsets) -> list[str]:
        """Where a topic begins later than it once did, so that not all can be taken in again.

        Raises `StorageError` where one ends before *offsets*: then it is not the one they
        were read from.
        """
        gaps = []
        for topic, partitions in offsets.items():
            for number, offset in partitions.items():
                end = self._ends.get(topic, {}).get(number, offset)
                if end < offset:
                    raise StorageError(
                        f"{topic} [{number}] ends at offset {end}, and all before {offset} was "
                        "published: it was made anew; make the product's other topics anew too"
                    )
                start = self._next.get(topic, {}).get(number, 0)
                if start > offset:
                    gaps.append(f"{topic} [{number}] lost offsets {offset} to {start} unread")
        return gaps

    def lag(self, topics: Collection[str] | None = None, *, is_fresh: bool = False) -> int:
        """How many messages wait, as far as the last fetch saw, or as the broker says now."""
        waiting = 0
        for topic, partitions in self._next.items():
            if topics is not None and topic not in topics:
                continue
            for number, next_ in partitions.items():
                _, high = self._watermarks(topic, number, cached=not is_fresh)
                end = self._ends[topic].get(number, 0)
                # Nothing was fetched since the end was reached: then that end holds.
                waiting += max(0, (end if high <= end else high) - next_)
        return waiting

    def close(self) -> None:
        """Leave the topics."""
        for each in self.consumers.values():
            each.close()

    def _consumer_of(self, topic: str) -> Consumer:
        return self.consumers[self.contracts[topic].kind]
