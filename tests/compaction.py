"""Has a real broker compact topics within seconds, tombstones included."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Producer
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from mesh.testing import Workbench

__all__ = ["compact", "eager"]

TIMEOUT_S = 60.0
EAGER = {
    "min.cleanable.dirty.ratio": "0.0001",
    "min.compaction.lag.ms": "0",
    "max.compaction.lag.ms": "1",
    "delete.retention.ms": "1",
    "segment.ms": "50",
}
BACK_OFF = "log.cleaner.backoff.ms"
# Names no row of any product, whatever a key is there.
FILLER = b"+000000000000"


@contextmanager
def eager(bench: Workbench) -> Iterator[None]:
    """The broker's cleaner looks every moment, for the time of a block."""
    brokers = bench.backbone.administrator()._client.list_topics(timeout=10).brokers
    alter(bench, ResourceType.BROKER, map(str, brokers), {BACK_OFF: "100"})
    try:
        yield
    finally:
        alter(bench, ResourceType.BROKER, map(str, brokers), {BACK_OFF: None})


def compact(bench: Workbench, *topics: str) -> None:
    """Wait until each topic holds the last row a key, and no tombstone but a filler's."""
    alter(bench, ResourceType.TOPIC, topics, EAGER)
    deadline = time.monotonic() + TIMEOUT_S
    while left := [topic for topic in topics if not is_clean(bench, topic)]:
        assert time.monotonic() < deadline, f"{left} were not compacted"
        for topic in left:
            roll(bench, topic)
        time.sleep(0.2)


def is_clean(bench: Workbench, topic: str) -> bool:
    """Whether every key has one message, which is no tombstone."""
    found = [each for each in bench.messages(topic) if each.key() != FILLER]
    keys = [each.key() for each in found]
    return len(keys) == len(set(keys)) and all(each.value() is not None for each in found)


def roll(bench: Workbench, topic: str) -> None:
    """End the segment that is written to: a cleaner leaves it alone."""
    backbone = bench.backbone
    producer = Producer(backbone.endpoint.client(backbone.admin, backbone.admin_mechanism))
    for number in range(backbone.administrator().topic_partitions()[topic]):
        producer.produce(topic, key=FILLER, value=None, partition=number)
    producer.flush(10)


def alter(
    bench: Workbench, kind: ResourceType, names: Iterable[str], settings: Mapping[str, str | None]
) -> None:
    """Set *settings* of topics or brokers; None is the broker's own again."""
    resources = [ConfigResource(kind, name) for name in names]
    for each in resources:
        for name, value in settings.items():
            kind_of = AlterConfigOpType.SET if value is not None else AlterConfigOpType.DELETE
            each.add_incremental_config(ConfigEntry(name, value, incremental_operation=kind_of))
    client = bench.backbone.administrator()._client
    for future in client.incremental_alter_configs(resources).values():
        future.result(10)
