"""Tests that each call is stored and published once, whatever is killed, lost or torn."""

from __future__ import annotations

import random
import shutil
import signal
import threading
import time
from itertools import count

import pytest
from confluent_kafka.admin import NewPartitions

from mesh.errors import StorageError, TopicDiffers
from mesh.product import inputs
from mesh.product.mapping import FileBatch
from mesh.product.relay import RelayFailed
from tests.stream import (
    PRODUCT,
    STAGING,
    FaultyRelay,
    calls,
    ids_of,
    make_anew,
    messages,
    process,
    published_ids,
    run,
    stored_ids,
)

pytestmark = pytest.mark.broker


PIECE = 100


def assert_each_once(bench, many: int) -> None:
    """The storage and the topic hold the first *many* calls, each once."""
    expected = ids_of(calls(many))

    assert published_ids(bench) == expected
    assert stored_ids(bench) == expected
    assert stored_ids(bench, "input", "finished_calls") == expected


# What fails, in this process.


def test_a_publication_that_fails_at_any_point_is_made_once(workbench):
    with workbench.running(PRODUCT) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, ["before", "", "within", "after", "after"])
        for start in range(0, 120, 40):
            workbench.feed(PRODUCT, calls(40, start))
            step_until_published(workbench, runtime, start + 40)

        assert runtime._relay.points == []
    assert_each_once(workbench, 120)


def step_until_published(bench, runtime, many: int) -> None:
    """Step as the product's own loop does, which begins anew after a failure."""
    deadline = time.monotonic() + 30
    while len(published_ids(bench)) < many:
        assert time.monotonic() < deadline
        try:
            runtime.step(0.1)
        except RelayFailed:
            assert runtime._inputs is None


# What is killed.


def feed_until(bench, stop: threading.Event, fed: list[int]) -> None:
    """Feed calls in small pieces until *stop*; how many goes into *fed*."""

    def pieces():
        for start in count(0, PIECE):
            if stop.is_set():
                return
            fed[:] = [start + PIECE]
            yield FileBatch(table=calls(PIECE, start), bad=())

    bench.feed_batches(PRODUCT, pieces())


def kill_while_fed(bench, *, kills: int, seed: int) -> tuple[int, int]:
    """Kill the product at random moments while it is fed.

    Returns how many calls were fed, and how many of the kills met it at work.
    """
    chance = random.Random(seed)  # noqa: S311 - a drill that can be repeated
    stop, fed, at_work = threading.Event(), [0], 0
    feeding = threading.Thread(target=feed_until, args=(bench, stop, fed))
    feeding.start()
    try:
        for _ in range(kills):
            with process(bench, "run", PRODUCT) as (child, log):
                while b" running" not in log.read_bytes():
                    assert child.poll() is None, log.read_text()
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.4))
                child.send_signal(signal.SIGKILL)
                child.wait()
            at_work += len(stored_ids(bench)) < fed[0]
    finally:
        stop.set()
        feeding.join()
    run(bench, 0)
    return fed[0], at_work


def test_a_product_that_is_killed_again_and_again_publishes_each_call_once(workbench):
    fed, at_work = kill_while_fed(workbench, kills=4, seed=3)

    assert at_work > 0
    assert_each_once(workbench, fed)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_product_that_is_killed_fifty_times_publishes_each_call_once(workbench):
    fed, at_work = kill_while_fed(workbench, kills=50, seed=4)

    assert at_work > 10
    assert_each_once(workbench, fed)


class ForgetfulRelay(FaultyRelay):
    """A relay without the safeguard: it does not believe what it reads back."""

    def open(self) -> None:
        super().open()


def test_without_the_position_the_same_calls_are_published_twice(workbench):
    workbench.feed(PRODUCT, calls(50))
    run(workbench, 50)
    workbench.home.storage(PRODUCT).unlink()

    with workbench.running(PRODUCT) as runtime:
        runtime._relay = ForgetfulRelay(runtime._relay, [])
        workbench.settle(runtime, 50)

    assert len(published_ids(workbench)) == 100
    with pytest.raises(AssertionError):
        assert_each_once(workbench, 50)


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
    monkeypatch.setattr(inputs, "BATCH_ROWS", 50)
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
