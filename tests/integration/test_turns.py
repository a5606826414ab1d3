"""Inputs of state and of events are drained by turns, so that neither starves the other."""

from __future__ import annotations

import time
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from mesh.product import fetch
from mesh.product.inputs import Inputs
from tests.stats import HEAVY, PHONES, STATS, feed, open_stats, run

pytestmark = [pytest.mark.broker, pytest.mark.slow]

CALLS = "call-center.calls"
BACKLOG = 800


@pytest.fixture
def bench(backbone, tmp_path, monkeypatch):
    """A project with both products of state ports, that take in ten rows at a time."""
    monkeypatch.setattr(fetch, "BATCH_ROWS", 10)
    with open_stats(backbone, tmp_path) as found:
        yield found


class Shared:
    """One consumer for both kinds, as a plainer program would have it."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._partitions: list[TopicPartition] = []

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._partitions += partitions
        self._consumer.assign(self._partitions)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def share(monkeypatch) -> None:
    """Have all inputs read by one consumer."""
    open_, shared = Inputs._open, {}

    def open_one(self, *arguments):
        if self not in shared:
            shared[self] = Shared(open_(self, *arguments))
        return shared[self]

    monkeypatch.setattr(Inputs, "_open", open_one)


def events_before_state(bench) -> int:
    """How many events of a backlog are taken in before a state that came after them."""
    feed(bench, BACKLOG)
    state, events = (bench.contract(each) for each in (PHONES, CALLS))
    found = Inputs(bench.backbone.endpoint, bench.principal(HEAVY), [state, events], {})
    try:
        count = 0
        while not count:
            count += len(found.drain(0.2).get(events.topic, []))
        time.sleep(1)  # all of them wait in this process by now
        run(bench, STATS)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            drained = found.drain(0.2)
            if state.topic in drained:
                return count
            count += len(drained.get(events.topic, []))
    finally:
        found.close()
    raise TimeoutError("the state did not come")


def test_state_does_not_wait_behind_a_backlog_of_events(bench):
    assert events_before_state(bench) < BACKLOG / 4


def test_behind_one_consumer_for_both_it_would(bench, monkeypatch):
    share(monkeypatch)

    assert events_before_state(bench) > BACKLOG * 3 / 4
