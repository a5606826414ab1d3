"""Tests of publishing one batch while the next is made: what the storage is told, and when."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest

from mesh.product.outbox import OUTBOX, no_messages
from mesh.product.patience import Patience
from mesh.product.position import Batch
from mesh.product.publishing import SMALL, Publishing
from mesh.product.relay import RelayFailed


def batch(number: int) -> Batch:
    return Batch(id=f"batch {number}", seq=number, offsets={}, outbox=no_messages())


class Gate:
    """Publishes once it is opened; fails for the batches in *bad*."""

    def __init__(self, *bad: int) -> None:
        self.bad, self.seen, self.handed_over = bad, list[int](), list[int]()
        self.is_open = threading.Event()

    def hand_over(self, batch: Batch) -> None:
        self.handed_over.append(batch.seq)

    def publish(self, batch: Batch) -> None:
        assert self.is_open.wait(10)
        self.seen.append(batch.seq)
        if batch.seq in self.bad:
            raise RelayFailed("no")


@pytest.fixture
def storage():
    return SimpleNamespace(published=None, prune=lambda: None)


@pytest.fixture
def publishing(storage):
    found = Publishing(Patience(), storage, lambda _: None)
    yield found
    found.close()


def test_the_storage_is_told_only_once_it_is_published(publishing, storage):
    gate = Gate()
    publishing.begin(gate, batch(1))
    assert (storage.published, publishing.has_published) == (None, False)

    gate.is_open.set()
    publishing.settle()

    assert (storage.published, publishing.has_published) == (batch(1).position, True)


def test_batches_are_published_in_order_and_one_at_a_time(publishing, storage):
    gate = Gate()
    gate.is_open.set()
    for number in range(1, 20):
        publishing.begin(gate, batch(number))
        assert number < 2 or storage.published == batch(number - 1).position
    publishing.settle()

    assert gate.seen == list(range(1, 20))


def test_after_a_failure_the_next_batch_is_not_begun(publishing, storage):
    gate = Gate(2)
    gate.is_open.set()
    publishing.begin(gate, batch(1))
    publishing.begin(gate, batch(2))

    with pytest.raises(RelayFailed):
        publishing.begin(gate, batch(3))

    assert gate.seen == [1, 2]
    assert storage.published == batch(1).position


def test_what_is_abandoned_has_ended_and_is_not_counted(publishing, storage):
    gate = Gate(1)
    publishing.begin(gate, batch(1))
    gate.is_open.set()

    publishing.abandon()
    publishing.settle()

    assert gate.seen == [1]
    assert storage.published is None


def test_a_large_batch_is_handed_over_by_who_made_it_and_committed_beside_the_next(
    publishing, storage
):
    gate = Gate()
    rows = [{"topic": "t", "key": b"k", "id": "i"}] * (SMALL + 1)
    large = replace(batch(SMALL + 1), outbox=pa.Table.from_pylist(rows, OUTBOX))

    publishing.begin(gate, large)

    assert (gate.handed_over, storage.published) == ([large.seq], None)
    gate.is_open.set()
    publishing.begin(gate, batch(SMALL + 2))
    assert (gate.handed_over, storage.published) == ([large.seq], large.position)


def test_what_was_on_its_way_when_it_closes_is_told_and_dropped(publishing, storage):
    gate, dropped = Gate(), list[object]()
    gate.is_open.set()
    storage.prune = lambda: dropped.append(storage.published)
    publishing.begin(gate, batch(1))

    publishing.close()

    assert dropped == [batch(1).position]


def test_it_closes_though_the_last_batch_could_not_be_published(publishing, storage):
    gate, dropped = Gate(2), list[object]()
    gate.is_open.set()
    storage.prune = lambda: dropped.append(storage.published)
    publishing.begin(gate, batch(1))
    publishing.begin(gate, batch(2))

    publishing.close()

    assert dropped == [batch(1).position]


def test_what_was_published_before_it_was_abandoned_is_counted(storage):
    counted = []
    publishing = Publishing(Patience(), storage, counted.append)
    gate = Gate(2)
    gate.is_open.set()
    for number in (1, 2):
        publishing.begin(gate, batch(number))
        publishing.abandon()
    publishing.close()

    assert gate.seen == [1, 2]
    assert (len(counted), storage.published) == (1, batch(1).position)
