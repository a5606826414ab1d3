"""Follows the public topics of products, and takes what is committed on them into tables.

It goes on where each table ends. Not here: the tables (`table`), who may see them (`desk`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaError, Message, TopicPartition

from mesh.backbone.admin import ABSENCES, kafka_error, stops_client
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import MeshError, StorageError
from mesh.product.fetch import fetch
from mesh.product.following import Place, follower, place_of, watermarks
from mesh.product.public_topics import Found, Topics
from mesh.product.rewriting import Rewriting
from mesh.sql.shelf import Shelf

__all__ = ["Follower"]

LOOK_S = 2.0
WAIT_S = 0.05
PAUSE_S = 1.0
RETENTION_S = 60.0


class Follower:
    """Keeps the tables of *shelf*; *reason* says why nothing is taken in now, or is empty.

    *others* have what else keeps rows of the tables made anew, whenever the tables are.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        principal: Principal,
        shelf: Shelf,
        say: Callable[[str], None],
        others: Callable[[], None] = lambda: None,
    ) -> None:
        self._shelf, self._say, self._others = shelf, say, others
        self._topics = Topics(endpoint, principal)
        self._consumer = follower(endpoint, principal, self._note)
        self._trouble: KafkaError | None = None
        self._followed: set[Place] = set()
        self._ends: dict[Place, int] = {}
        self._nexts: dict[Place, int] = {}
        self._looked_at = self._forgot_at = 0.0
        self.reason = "looking for topics"
        self.rewriting = Rewriting()

    @property
    def lag(self) -> int:
        """How many offsets wait."""
        ends = [*self._ends.items()]
        return sum(max(0, end - self._nexts.get(place, 0)) for place, end in ends)

    def run(self, stop: threading.Event) -> None:
        """Follow until *stop* is set; what stands in the way is waited out."""
        while not stop.is_set():
            try:
                self.step()
                self.reason = ""
            except MeshError as error:
                if self.reason != str(error):
                    self._say(f"waiting: {error}")
                self.reason = str(error)
                stop.wait(PAUSE_S)

    def step(self, timeout_s: float = WAIT_S) -> None:
        """Look for topics where it is time, take in what has arrived, make copies that are due.

        Raises a `BackboneError` while Kafka is away, a `StorageError` while there is no room.
        """
        if self.rewriting.asked_at is not None:
            self._make_anew()
        if time.monotonic() - self._looked_at > LOOK_S:
            self._look()
        messages = fetch(self._consumer, timeout_s)
        batches: dict[str, list[Message]] = {}
        for message in messages:
            if message.error() is None:
                batches.setdefault(str(message.topic()), []).append(message)
        if batches:
            self._take_all(batches)
        for message in messages:
            if (error := message.error()) is not None:
                self._event(place_of(message), message.offset() or 0, error)
        self._shelf.refresh()
        if not messages and self._trouble is not None:
            error, self._trouble = self._trouble, None
            raise kafka_error(error, "follow its topics")

    def _make_anew(self) -> None:
        """Have every table and copy made anew: in their files stands what was deleted."""
        for topic in [*self._shelf.tables]:
            self._restart(topic, "something was erased")
        self._others()
        self.rewriting.done()

    def close(self) -> None:
        """Leave the topics."""
        self._consumer.close()

    def _look(self) -> None:
        """Follow what is new, and leave what is gone or was made anew."""
        found = self._topics.described(sorted(self._shelf.contracts))
        for topic in [*self._shelf.tables]:
            if topic not in found or found[topic].id != self._shelf.tables[topic].topic_id:
                self._leave(topic)
                self._shelf.drop(topic)
        for topic, each in found.items():
            if topic not in self._shelf.tables:
                self._shelf.open(topic, each.id)
        # Of all before any is followed: an answer waits for what is fetched on its connection.
        places = [(topic, n) for topic, each in found.items() for n in range(each.partitions)]
        new = [place for place in places if place not in self._followed]
        marks = {place: watermarks(self._consumer, place) for place in new}
        for topic in found:
            self._begin(topic, {at: both for at, both in marks.items() if at[0] == topic})
        self._looked_at = time.monotonic()
        self._shelf.has_looked = True
        if self._looked_at - self._forgot_at > RETENTION_S:
            self._forget()

    def _begin(self, topic: str, marks: Mapping[Place, tuple[int, int]]) -> None:
        """Read on where the table ends; from the topic's beginning where that cannot be."""
        table = self._shelf.tables[topic]
        for (_, partition), (low, high) in marks.items():
            if not low <= table.offsets.get(partition, low) <= high:
                self._restart(topic, f"the topic has offsets {low} to {high} of [{partition}]")
                return
        for place, (low, high) in marks.items():
            begin = table.offsets.setdefault(place[1], low)
            self._nexts[place], self._ends[place] = begin, high
            self._consumer.incremental_assign([TopicPartition(*place, begin)])
            self._followed.add(place)

    def _restart(self, topic: str, why: str) -> None:
        """Have the table of a topic made anew at the next look."""
        self._say(f"{topic} is read again from its beginning: {why}")
        self._leave(topic)
        table = self._shelf.tables[topic]
        self._shelf.open(topic, table.topic_id, is_fresh=True)

    def _leave(self, topic: str) -> None:
        """Follow a topic no more, until the next look."""
        for place in [each for each in self._followed if each[0] == topic]:
            self._consumer.incremental_unassign([TopicPartition(*place)])
            self._followed.discard(place)
            self._ends.pop(place, None)
            self._nexts.pop(place, None)
        self._looked_at = 0.0

    def _take_all(self, batches: Mapping[str, list[Message]]) -> None:
        """Take in what was fetched; what cannot be taken now is fetched again."""
        try:
            now = self._topics.described(sorted(batches))
            for topic, batch in batches.items():
                self._take(topic, batch, now.get(topic))
        except MeshError as error:
            for topic in batches:
                self._leave(topic)
                if isinstance(error, StorageError):
                    # DuckDB may have shut the file: the next look opens it anew.
                    self._shelf.drop(topic)
            raise

    def _take(self, topic: str, batch: list[Message], found: Found | None) -> None:
        """Take in messages of one topic, if they are of the one that its table is of."""
        table = self._shelf.tables.get(topic)
        batch = [each for each in batch if place_of(each) in self._followed]
        # What was fetched before this answer is of the topic whose id is the same in it.
        if table is None or found is None or found.id != table.topic_id:
            self._leave(topic)
        elif batch:
            table.take(batch)
            for partition, offset in table.offsets.items():
                place = (topic, partition)
                self._nexts[place] = max(self._nexts.get(place, 0), offset)
                self._ends[place] = max(self._ends.get(place, 0), offset)

    def _event(self, place: Place, offset: int, error: KafkaError) -> None:
        """Take note of an end of partition or an error among the messages."""
        if place not in self._followed and error.code() not in ABSENCES:
            return
        if error.code() == KafkaError._PARTITION_EOF:
            # Markers of transactions take offsets too: nothing comes before the end.
            self._nexts[place] = self._ends[place] = offset
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            self._restart(place[0], "the offset that comes next is not there any more")
        elif error.code() in ABSENCES:
            self._note(error)
        elif not error.retriable():
            self._looked_at = 0.0

    def _forget(self) -> None:
        """Drop what retention took from the topics."""
        for place in [*self._followed]:
            self._shelf.tables[place[0]].forget(place[1], watermarks(self._consumer, place)[0])
        self._forgot_at = time.monotonic()

    def _note(self, error: KafkaError) -> None:
        """Keep what stops the whole client; it goes on by itself from all else."""
        if stops_client(error):
            self._trouble = error
