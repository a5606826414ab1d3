"""Follows every public topic and adds what is committed on it to the log of its partition.

It resumes where each log ends: no offset is kept elsewhere. Not here: how a log is kept (`store`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, Message, TopicPartition

from mesh.audit.note import SigningKey
from mesh.audit.origin import LogName, topic_id
from mesh.audit.reading import columns_of
from mesh.audit.store import Log
from mesh.backbone.admin import ABSENCES, kafka_error, stops_client
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import BackboneError, MeshError
from mesh.garbage import no_garbage
from mesh.product.fetch import fetch
from mesh.product.following import Place, follower, place_of, watermarks
from mesh.product.public_topics import Found, Topics

__all__ = ["Followed", "Follower"]

LOOK_S = 2.0
WAIT_S = 0.2


@dataclass(slots=True, kw_only=True)
class Followed:
    """The log of the topic with *id*, and how far it is.

    *next* is the offset that comes next, *end* the topic's end. *missed* counts offsets that were
    gone before they were read; *trouble* says why nothing is added any more.
    """

    id: bytes
    log: Log | None = None
    next: int = 0
    end: int = 0
    missed: int = 0
    trouble: str = ""

    @property
    def lag(self) -> int:
        """How many offsets wait."""
        return max(0, self.end - self.next)


class Follower:
    """Keeps the logs in *folder*, of topics that *needs_salt* tells personal or not."""

    def __init__(
        self,
        endpoint: Endpoint,
        principal: Principal,
        folder: Path,
        key: SigningKey,
        *,
        needs_salt: Callable[[str], bool],
        say: Callable[[str], None],
    ) -> None:
        self._folder, self._key, self._needs_salt, self._say = folder, key, needs_salt, say
        self._topics = Topics(endpoint, principal)
        self._trouble: KafkaError | None = None
        self._consumer = follower(endpoint, principal, self._note)
        self.followed: dict[Place, Followed] = {}
        # By path, also those of topics that are gone or were made anew.
        self.logs: dict[str, Log] = {}
        for each in folder.glob("*/*/*/checkpoint"):
            self._open_old(each.parent)
        self._looked_at = 0.0
        self.reason = "looking for topics"

    def run(self, stop: threading.Event) -> None:
        """Follow until *stop* is set; what stands in the way is waited out."""
        while not stop.is_set():
            try:
                self.step()
                self.reason = ""
            except BackboneError as error:
                if self.reason != str(error):
                    self._say(f"waiting: {error}")
                self.reason = str(error)
                stop.wait(LOOK_S)

    # The headers of a batch are some 90,000 values: to walk them takes longer than to make them.
    @no_garbage()
    def step(self, timeout_s: float = WAIT_S) -> int:
        """Look for topics where it is time, and log what has arrived; how many messages.

        Raises a `BackboneError` while Kafka is away.
        """
        if time.monotonic() - self._looked_at > LOOK_S:
            self._look(self._topics.look())
        messages = fetch(self._consumer, timeout_s)
        batches: dict[Place, list[Message]] = {}
        events = []
        for message in messages:
            if (error := message.error()) is None:
                batches.setdefault(place_of(message), []).append(message)
            else:
                events.append((message, error))
        if batches:
            self._add_all(batches)
        for each in events:
            self._event(*each)
        if not messages and self._trouble is not None:
            error, self._trouble = self._trouble, None
            raise kafka_error(error, "follow its topics")
        return sum(map(len, batches.values()))

    def close(self) -> None:
        """Leave the topics, and let go of the logs."""
        self._consumer.close()
        for each in self.logs.values():
            each.close()

    def _open_old(self, folder: Path) -> None:
        """Open a log that is there, so that it can be read whatever became of its topic."""
        topic, id_, partition = folder.relative_to(self._folder).parts
        try:
            self._log_of((topic, int(partition)), topic_id(id_))
        except (MeshError, ValueError) as error:
            self._say(f"{folder} is not read: {error}")

    def _log_of(self, place: Place, id_: bytes) -> Log:
        """The log of a partition, opened once."""
        name = LogName(mesh=self._key.name, topic=place[0], topic_id=id_, partition=place[1])
        if name.path not in self.logs:
            self.logs[name.path] = Log(self._folder / name.path, name, self._key)
        return self.logs[name.path]

    def _look(self, found: Mapping[str, Found]) -> None:
        """Follow what is new, and leave what is gone or was made anew."""
        wanted = {
            (topic, partition): each.id
            for topic, each in found.items()
            for partition in range(each.partitions)
        }
        for place in [*self.followed]:
            if self.followed[place].id != wanted.get(place):
                self._leave(place)
        # Of all before any is followed: an answer waits for what is fetched on its connection.
        new = [place for place in wanted if place not in self.followed]
        marks = {place: watermarks(self._consumer, place) for place in new}
        for place in new:
            self._begin(place, wanted[place], *marks[place])
        self._looked_at = time.monotonic()

    def _begin(self, place: Place, id_: bytes, low: int, high: int) -> None:
        """Open the log of a partition with these offsets, and read on where it ends."""
        topic, partition = place
        followed = Followed(id=id_)
        try:
            followed.log = self._log_of(place, id_)
            followed.next, followed.end = followed.log.last_offset + 1, high
            if followed.next > high:
                followed.trouble = (
                    f"{topic} [{partition}] ends at offset {high}, and the log has it to "
                    f"{followed.next}: messages were removed from the topic's end"
                )
            elif low > followed.next:
                followed.missed, followed.next = low - followed.next, low
        except MeshError as error:
            followed.trouble = str(error)
        self.followed[place] = followed
        if followed.trouble:
            self._say(followed.trouble)
        else:
            self._consumer.incremental_assign([TopicPartition(topic, partition, followed.next)])

    def _leave(self, place: Place) -> None:
        """Follow a partition no more, until the next look; its log stays."""
        followed = self.followed.pop(place, None)
        self._looked_at = 0.0
        if followed is not None and not followed.trouble:
            self._consumer.incremental_unassign([TopicPartition(*place)])

    def _add_all(self, batches: Mapping[Place, list[Message]]) -> None:
        """Log what was fetched; what cannot be logged now is fetched again."""
        try:
            now = self._topics.described(sorted({topic for topic, _ in batches}))
        except BackboneError:
            for place in batches:
                self._leave(place)
            raise
        # What was fetched before this answer is of the topic whose id is the same in it.
        for place, batch in batches.items():
            self._add(place, batch, now.get(place[0]))

    def _add(self, place: Place, batch: list[Message], found: Found | None) -> None:
        """Log messages of one partition, if they are of the topic that its log is of."""
        followed = self.followed.get(place)
        if followed is None or followed.log is None or followed.trouble:
            return
        if found is None or found.id != followed.id:
            # Made anew meanwhile: the next look follows the one that is there now.
            self._leave(place)
            return
        try:
            followed.log.add(columns_of(batch), needs_salt=self._needs_salt(place[0]))
        except MeshError as error:
            # Opened anew at the next look, which cuts what was half written.
            self._say(str(error))
            self.logs.pop(followed.log.name.path).close()
            self._leave(place)
        else:
            followed.next = followed.log.last_offset + 1
            followed.end = max(followed.end, followed.next)

    def _event(self, message: Message, error: KafkaError) -> None:
        """Take note of an end of partition or an error among the messages."""
        place = place_of(message)
        followed = self.followed.get(place)
        if error.code() == KafkaError._PARTITION_EOF and followed is not None:
            end = int(message.offset() or 0)
            # Markers of transactions take offsets too: nothing comes before the end.
            followed.next, followed.end = max(followed.next, end), max(followed.end, end)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET and followed is not None:
            self._leave(place)
        elif error.code() in ABSENCES:
            self._note(error)
        elif not error.retriable():
            self._looked_at = 0.0

    def _note(self, error: KafkaError) -> None:
        """Keep what stops the whole client; it goes on by itself from all else."""
        if stops_client(error):
            self._trouble = error
