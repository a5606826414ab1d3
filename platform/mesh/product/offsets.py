"""Offsets: what of a batch stands before them, whether a topic holds one, two put together."""

from __future__ import annotations

from confluent_kafka import Message

from mesh.errors import StorageError
from mesh.product.position import Offsets

__all__ = ["before", "check_range", "merged", "place"]


def before(drained: dict[str, list[Message]], offsets: Offsets) -> dict[str, list[Message]]:
    """What of *drained* stands before *offsets*."""
    due: dict[str, list[Message]] = {}
    for topic, messages in drained.items():
        for message in messages:
            _, partition, offset = place(message)
            if offset < offsets.get(topic, {}).get(partition, 0):
                due.setdefault(topic, []).append(message)
    return due


def place(message: Message) -> tuple[str, int, int]:
    """Topic, partition and offset of a message from a broker."""
    return str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)


def check_range(topic: str, partition: int, *, start: int, low: int, high: int) -> None:
    """Raise `StorageError` where the partition does not hold what comes next."""
    if low <= start <= high:
        return
    raise StorageError(
        f"{topic} [{partition}] holds offsets {low} to {high}, the storage goes on at {start}: "
        "the topic was made anew or its retention has passed; "
        "remove the product's storage to start from what is there"
    )


def merged(old: Offsets, new: Offsets) -> Offsets:
    """*old* with the partitions of *new* put in its place."""
    result = {topic: dict(partitions) for topic, partitions in old.items()}
    for topic, partitions in new.items():
        result.setdefault(topic, {}).update(partitions)
    return result
