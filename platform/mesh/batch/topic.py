"""A topic, read once up to its end, committed messages alone: what an export is made of.

    reading = Reading(endpoint, principal, contract)
    for messages in reading.messages(): …

Not here: what becomes of the messages (`export`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import KafkaException, Message, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import MeshError, NotGranted, Unreachable
from mesh.product.fetch import fetch
from mesh.product.following import watermarks
from mesh.product.public_topics import Found, Topics
from mesh.product.readback import is_end, reader

__all__ = ["Reading"]

WAIT_S, TIMEOUT_S = 0.2, 30.0
Places = Mapping[int, int]


class Reading:
    """What *principal* may read of *topic*, between *begins* and *ends* as they are now.

    Raises `NotGranted` where Kafka does not let it, which tells no more of a topic that is not.
    """

    def __init__(self, endpoint: Endpoint, principal: Principal, topic: str) -> None:
        self.topic, self._principal = topic, principal
        self._topics = Topics(endpoint, principal)
        found = self._found()
        self.id = found.id
        self._consumer = reader(endpoint, principal, "export")
        try:
            places = [(topic, each) for each in range(found.partitions)]
            marks = {each[1]: watermarks(self._consumer, each) for each in places}
        except BaseException:
            self._consumer.close()
            raise
        self.begins: Places = {each: low for each, (low, _) in marks.items()}
        self.ends: Places = {each: high for each, (_, high) in marks.items()}

    def messages(self) -> Iterator[list[Message]]:
        """What is committed before *ends*, in order within a partition.

        Where a transaction is open, the end is what stands before it; *ends* says so afterwards.
        """
        waiting = {each for each, end in self.ends.items() if end > self.begins[each]}
        starts = [TopicPartition(self.topic, each, self.begins[each]) for each in waiting]
        ends, deadline = dict(self.ends), time.monotonic() + TIMEOUT_S
        try:
            self._consumer.assign(starts)
            while waiting:
                found = fetch(self._consumer, WAIT_S)
                if found:
                    deadline = time.monotonic() + TIMEOUT_S
                elif time.monotonic() > deadline:
                    raise Unreachable(f"Kafka did not answer while {self.topic} was read")
                due = []
                for each in found:
                    partition, offset = int(each.partition() or 0), int(each.offset() or 0)
                    if is_end(each):
                        ends[partition] = min(offset, ends[partition])
                        waiting.discard(partition)
                    elif offset < ends[partition]:
                        due.append(each)
                    if offset >= ends[partition] - 1:
                        waiting.discard(partition)
                yield due
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"read {self.topic}") from exception
        if self._found().id != self.id:
            raise MeshError(f"{self.topic} was made anew while it was read: export it again")
        self.ends = ends

    def close(self) -> None:
        """Leave the topic."""
        self._consumer.close()

    def _found(self) -> Found:
        found = self._topics.described([self.topic]).get(self.topic)
        if found is None:
            raise NotGranted(
                f"Kafka does not let {self._principal.name} read {self.topic}: ask for it with"
                " `mesh access request`, and see `mesh access list`"
            )
        return found
