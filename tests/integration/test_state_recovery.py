"""Tests of state ports whose storage is lost, older or torn."""

from __future__ import annotations

import shutil

import pytest
from confluent_kafka import TopicPartition

from mesh.errors import StorageError
from mesh.product.intake import Intake
from mesh.product.recovery import Recovery
from tests.stats import (
    CALLERS,
    HEAVY,
    NUMBERS,
    PHONES,
    STATS,
    assert_never_back,
    assert_true,
    compacted,
    copy_of,
    counts,
    erase,
    expected,
    feed,
    few,
    history,
    run,
    storage_of,
    table,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_a_lost_storage_is_rebuilt_and_nothing_is_said_again(bench):
    feed(bench, 40)
    for product in (STATS, HEAVY):
        run(bench, product)
        storage_of(bench, product).unlink()
    before = len(history(bench, PHONES)), len(history(bench, CALLERS))

    for product in (STATS, HEAVY):
        run(bench, product)

    assert (len(history(bench, PHONES)), len(history(bench, CALLERS))) == before
    assert_true(bench, PHONES, CALLERS)


def test_an_older_copy_catches_up_and_no_number_goes_back(bench):
    copies = {}
    feed(bench, 20)
    for product in (STATS, HEAVY):
        run(bench, product)
        copies[product] = copy_of(bench, product)
    for start in (20, 40):
        feed(bench, 20, start)
        for product in (STATS, HEAVY):
            run(bench, product)
    feed(bench, 20, 60)
    for product, copy in copies.items():
        shutil.move(copy, storage_of(bench, product))
        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(80))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])


def test_an_older_copy_brings_back_no_row_that_was_deleted_meanwhile(bench):
    feed(bench, NUMBERS * 2)
    copies = {}
    for product in (STATS, HEAVY):
        run(bench, product)
        copies[product] = copy_of(bench, product)
    erase(bench, 1)
    erase(bench, 1, NUMBERS)
    for product in (STATS, HEAVY):
        run(bench, product)
    before = history(bench, CALLERS)
    for product, copy in copies.items():
        shutil.move(copy, storage_of(bench, product))
        run(bench, product)

    assert history(bench, CALLERS) == before
    assert len(table(bench, CALLERS)) == NUMBERS - 1
    assert_true(bench, PHONES, CALLERS)


def lose_with_a_source_that_forgot(bench, key: str) -> None:
    """Lose the storage, and rebuild it from a source that holds nothing of *key* any more.

    As after compaction: neither the row nor its tombstone is there to be read again.
    """
    storage_of(bench, HEAVY).unlink()
    topic, read = bench.contract(PHONES).topic, Intake.read

    def read_less(self, messages):
        is_source = self.source.contract.topic == topic
        return read(self, [e for e in messages if not is_source or e.key() != key.encode()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intake, "read", read_less)
        run(bench, HEAVY)


def test_a_key_that_its_source_deleted_and_forgot_leaves_no_ghost(bench):
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)

    lose_with_a_source_that_forgot(bench, "+12025550100")

    assert len(compacted(bench, CALLERS)) == NUMBERS - 1
    assert_true(bench, CALLERS)


def test_without_the_topic_read_back_the_ghost_stays(bench, monkeypatch):
    monkeypatch.setattr(Recovery, "_published", lambda *_: ())
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)

    lose_with_a_source_that_forgot(bench, "+12025550100")

    with pytest.raises(AssertionError):
        assert_true(bench, CALLERS)


def test_a_torn_log_is_recovered(bench):
    storage = storage_of(bench, STATS)
    torn = storage.with_name("torn")
    with bench.running(STATS) as runtime:
        bench.settle(runtime)
        for start in range(0, 60, 20):
            feed(bench, 20, start)
            bench.settle(runtime, 20)
        shutil.copy(storage, torn)
        log = storage.with_name(f"{storage.name}.wal").read_bytes()
    shutil.move(torn, storage)
    storage.with_name(f"{storage.name}.wal").write_bytes(log[: len(log) // 2])

    run(bench, STATS)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(60))
    assert_never_back(bench, PHONES, lambda row: row["calls"])


def test_events_that_are_gone_stop_a_lost_state_port_and_an_older_copy_helps(bench):
    feed(bench, 20)
    run(bench, STATS)
    copy = copy_of(bench, STATS)
    topic = bench.contract("call-center.calls").topic
    client = bench.backbone.administrator()._client
    for future in client.delete_records([TopicPartition(topic, n, 1) for n in range(4)]).values():
        future.result()
    feed(bench, 20, 20)
    run(bench, STATS)
    storage_of(bench, STATS).unlink()

    with pytest.raises(StorageError, match="put a copy of its storage back"):
        run(bench, STATS)
    shutil.move(copy, storage_of(bench, STATS))
    run(bench, STATS)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(40))
