"""What is done to topics for an erasure: tombstones, and compaction at once instead of some day.

Kafka's cleaner leaves the segment alone that is written to, and a segment ends when something is
appended after its time: an aborted transaction does, and nobody reads it.
Not here: what is to go (`search`), when, and in which order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin import ConfigSource as Source

from mesh.backbone.admin import kafka_error, translated, wait
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.erasure.places import Place, rolling_id

__all__ = ["CLEANED", "NAMED", "Hand"]

TIMEOUT_S = 30.0
# So a topic is compacted as soon as the cleaner looks.
CLEANED = {
    "segment.ms": "50",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1",
    "min.cleanable.dirty.ratio": "0.0001",
}
# Tombstones go at once too: whoever is behind never sees them, so only where their keys say who.
NAMED = {"delete.retention.ms": "1"}
FILLER = b"-"
Settings = Mapping[str, str | None]


class Hand:
    """Whoever erases, at one Kafka; *principal_of* has the secrets of those who write topics."""

    def __init__(
        self, endpoint: Endpoint, eraser: Principal, principal_of: Callable[[str], Principal]
    ) -> None:
        self._endpoint, self._principal_of = endpoint, principal_of
        self._admin = AdminClient({**endpoint.client(eraser), "log_level": 0})
        self._rollers: dict[str, Producer] = {}

    def bury(self, place: Place, keys: Mapping[bytes, int]) -> None:
        """Append a tombstone for each of *keys*, in the partition of its row."""
        errors: list[KafkaError] = []

        def told(error: KafkaError | None, _: Message) -> None:
            errors.extend([error] if error is not None else [])

        producer = Producer(
            {**self._endpoint.client(self._principal_of(place.writer)), "acks": "all"}
        )
        try:
            for key, partition in keys.items():
                producer.produce(place.topic, None, key, partition=partition, on_delivery=told)
                producer.poll(0)
            if producer.flush(TIMEOUT_S) or errors:
                raise KafkaException(errors[0] if errors else KafkaError(KafkaError._TIMED_OUT))
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"write {place.topic}") from exception

    def settings(self, topics: Iterable[str], names: Iterable[str]) -> dict[str, Settings]:
        """What each topic has of the settings *names*; None where it has the broker's."""
        resources = {each: ConfigResource(ConfigResource.Type.TOPIC, each) for each in topics}
        if not resources:
            return {}
        futures = self._admin.describe_configs([*resources.values()])
        found: dict[str, Settings] = {}
        for topic, resource in resources.items():
            future = futures[resource]
            entries = wait(future, f"describe {topic}")
            own = Source.DYNAMIC_TOPIC_CONFIG.value
            found[topic] = {
                each: str(entries[each].value) if entries[each].source == own else None
                for each in names
            }
        return found

    def set(self, settings: Mapping[str, Settings]) -> None:
        """Give topics these settings; None is the broker's own."""
        resources = []
        for topic, wanted in settings.items():
            resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
            for name, value in wanted.items():
                kind = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
                entry = ConfigEntry(name, value or "", incremental_operation=kind)
                resource.add_incremental_config(entry)
            resources.append(resource)
        futures = self._admin.incremental_alter_configs(resources) if resources else {}
        for future in futures.values():
            wait(future, "alter the settings of topics")

    def roll(self, places: Iterable[Place], partitions: Mapping[str, int]) -> None:
        """End the segment of each of *places* that is written to."""
        by_writer: dict[str, list[TopicPartition]] = {}
        for each in places:
            found = by_writer.setdefault(each.writer, [])
            found += [TopicPartition(each.topic, n) for n in range(partitions[each.topic])]
        for writer, found in by_writer.items():
            translated(partial(self._append, writer, found), f"end segments of {writer}")

    def cut(self, cuts: Mapping[str, Mapping[int, int]]) -> None:
        """Remove what stands before an offset of each partition."""
        places = [
            TopicPartition(topic, partition, offset)
            for topic, its in cuts.items()
            for partition, offset in its.items()
        ]
        futures = self._admin.delete_records(places) if places else {}
        for future in futures.values():
            wait(future, "remove what was asked for again")

    def partitions(self) -> Mapping[str, int]:
        """The number of partitions of each topic that may be seen."""
        metadata = translated(lambda: self._admin.list_topics(timeout=TIMEOUT_S), "list topics")
        return {name: len(topic.partitions) for name, topic in metadata.topics.items()}

    def _append(self, writer: str, partitions: list[TopicPartition]) -> None:
        """Append to *partitions* what nobody will read."""
        producer = self._rollers.get(writer)
        if producer is None:
            client = self._endpoint.client(self._principal_of(writer))
            producer = Producer({**client, "transactional.id": rolling_id(writer)})
            producer.init_transactions(TIMEOUT_S)
            self._rollers[writer] = producer
        producer.begin_transaction()
        for each in partitions:
            producer.produce(each.topic, None, FILLER, partition=each.partition)
        producer.flush(TIMEOUT_S)
        producer.abort_transaction(TIMEOUT_S)
