"""Tests of a product whose storage or topics are lost, older, torn or made anew."""

from __future__ import annotations

import shutil
import threading
import time

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import NewPartitions

from mesh.errors import StorageError, TopicDiffers
from mesh.product import fetch
from mesh.product.life import Life
from mesh.product.relay import RelayFailed
from tests.stream import (
    PRODUCT,
    STAGING,
    FaultyRelay,
    assert_each_once,
    calls,
    make_anew,
    messages,
    published_ids,
    run,
    stored_ids,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


# What becomes of the storage.


def test_a_lost_storage_is_rebuilt_and_nothing_is_published_again(workbench):
    workbench.feed(PRODUCT, calls(300))
    run(workbench, 300)
    workbench.home.storage(PRODUCT).unlink()
    workbench.feed(PRODUCT, calls(200, 300))

    run(workbench, 200)

    assert_each_once(workbench, 500)


def test_an_older_copy_of_the_storage_catches_up_and_publishes_nothing_again(workbench):
    storage = workbench.home.storage(PRODUCT)
    copy = storage.with_name("copy")
    workbench.feed(PRODUCT, calls(100))
    run(workbench, 100)
    shutil.copy(storage, copy)
    workbench.feed(PRODUCT, calls(200, 100))
    run(workbench, 200)
    shutil.move(copy, storage)
    workbench.feed(PRODUCT, calls(100, 300))

    run(workbench, 100)

    assert_each_once(workbench, 400)


def test_a_copy_from_before_its_batch_was_published_publishes_it_once(workbench):
    storage = workbench.home.storage(PRODUCT)
    copy = storage.with_name("copy")
    workbench.feed(PRODUCT, calls(100))
    with workbench.running(PRODUCT) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, ["before"])
        with pytest.raises(RelayFailed):
            workbench.settle(runtime, 100)
    shutil.copy(storage, copy)
    run(workbench, 0)
    workbench.feed(PRODUCT, calls(100, 100))
    run(workbench, 100)
    shutil.move(copy, storage)

    run(workbench, 0)

    assert_each_once(workbench, 200)


def test_a_storage_whose_log_is_torn_catches_up_and_publishes_nothing_again(workbench):
    storage = workbench.home.storage(PRODUCT)
    torn = storage.with_name("torn")
    with workbench.running(PRODUCT) as runtime:
        for start in range(0, 300, 100):
            workbench.feed(PRODUCT, calls(100, start))
            workbench.settle(runtime, 100)
        # As a crash leaves it: the log is written, and not yet part of the file.
        shutil.copy(storage, torn)
        log = storage.with_name(f"{storage.name}.wal").read_bytes()
    shutil.move(torn, storage)
    storage.with_name(f"{storage.name}.wal").write_bytes(log[: len(log) // 2])
    assert 0 < len(stored_ids(workbench)) < 300

    run(workbench, 0)

    assert_each_once(workbench, 300)


def test_a_recovery_that_is_stopped_halfway_goes_on_later(workbench, monkeypatch):
    monkeypatch.setattr(fetch, "BATCH_ROWS", 50)
    workbench.feed(PRODUCT, calls(1_000))
    run(workbench, 1_000)
    workbench.home.storage(PRODUCT).unlink()
    with workbench.running(PRODUCT) as runtime:
        stop = threading.Event()
        watch = threading.Thread(target=lambda: stop_at_first_rows(runtime, stop))
        watch.start()
        runtime.run(stop)
        watch.join()

    assert 0 < len(stored_ids(workbench)) < 1_000
    run(workbench, 0)
    assert_each_once(workbench, 1_000)


def stop_at_first_rows(runtime, stop: threading.Event) -> None:
    """Set *stop* as soon as the storage holds a call."""
    reader = runtime._storage.reader()
    while not reader.execute("select 1 from main.calls limit 1").fetchall():
        time.sleep(0.005)
    stop.set()


# What becomes of the topics.


def test_a_topic_that_was_made_anew_stops_the_product_with_the_reason(workbench):
    workbench.feed(PRODUCT, calls(50))
    run(workbench, 50)
    make_anew(workbench, workbench.contract(STAGING).topic)
    # So many that the old offsets are there again.
    workbench.send(PRODUCT, messages(workbench, calls(200).to_pylist()))

    with pytest.raises(StorageError, match="made anew"):
        run(workbench, 0)


def test_an_input_made_anew_below_a_lost_storage_stops_the_product(workbench):
    workbench.feed(PRODUCT, calls(50))
    run(workbench, 50)
    workbench.home.storage(PRODUCT).unlink()
    make_anew(workbench, workbench.contract(STAGING).topic)

    with pytest.raises(StorageError, match="made anew"):
        run(workbench, 0)


def test_more_partitions_than_the_contract_has_stop_the_product_with_the_reason(workbench):
    topic = workbench.contract(STAGING).topic
    client = workbench.backbone.administrator()._client
    client.create_partitions([NewPartitions(topic, 6)])[topic].result()

    with pytest.raises(TopicDiffers, match="has 6 partitions, its contract says 4"):
        run(workbench, 0)


def test_a_product_goes_on_where_all_of_its_input_has_aged_out_behind_it(workbench):
    workbench.feed(PRODUCT, calls(50))
    run(workbench, 50)
    drop_all(workbench, workbench.contract(STAGING).topic)

    run(workbench, 0)
    workbench.feed(PRODUCT, calls(50, 50))
    run(workbench, 50)

    assert sorted(published_ids(workbench)) == sorted(stored_ids(workbench))
    assert len(stored_ids(workbench)) == 100


def test_a_product_that_was_killed_cannot_tell_what_aged_out_behind_it(workbench, monkeypatch):
    monkeypatch.setattr(Life, "leave", lambda *_: None)
    workbench.feed(PRODUCT, calls(50))
    run(workbench, 50)
    drop_all(workbench, workbench.contract(STAGING).topic)

    with pytest.raises(StorageError, match="retention has passed"):
        run(workbench, 0)


def drop_all(bench, topic: str) -> None:
    """Drop all of a topic, as its retention would: markers of transactions too."""
    client = bench.backbone.administrator()._client
    places = [TopicPartition(topic, number, OFFSET_END) for number in range(4)]
    for future in client.delete_records(places).values():
        future.result()
