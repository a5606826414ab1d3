"""Tests of a replay in which the product dies or loses its storage: each goes through once."""

from __future__ import annotations

import shutil
import time

import pytest
from confluent_kafka import OFFSET_END, TopicPartition

from mesh.product.plan import plan_product
from mesh.product.relay import RelayFailed
from tests.replays import (
    allow_the_queue,
    ask,
    assert_once,
    entries,
    of_a_new_queue,
    send_among_good,
    states,
)
from tests.stream import (
    PRODUCT,
    STAGING,
    FaultyRelay,
    calls,
    ids_of,
    process,
    published,
    published_ids,
    run,
    stored_ids,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ALL = ids_of(calls(3)) + ids_of(calls(1, 50))


@pytest.mark.parametrize("point", ["before", "within", "after"])
def test_a_product_that_dies_in_a_replay_puts_it_through_once(workbench, point):
    send_among_good(workbench, of_a_new_queue(workbench))
    allow_the_queue(workbench)
    ask(workbench)
    with workbench.running(PRODUCT) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, [point])
        with pytest.raises(RelayFailed):
            workbench.settle(runtime, 1)

    run(workbench, 0)

    assert_once(workbench)
    assert states(workbench) == ["replayed"]


def test_a_product_that_is_killed_again_and_again_in_its_replays_puts_each_through_once(workbench):
    bad = [of_a_new_queue(workbench, number) for number in range(50, 70)]
    send_among_good(workbench, *bad)
    allow_the_queue(workbench)
    for start in range(0, 20, 10):
        ask(workbench, PRODUCT, *entries(workbench)[start : start + 10])
        with process(workbench, "run", PRODUCT) as (child, log):
            while b" running" not in log.read_bytes():
                assert child.poll() is None, log.read_text()
                time.sleep(0.01)
            time.sleep(0.05 * (start // 10))
            child.kill()
            child.wait()
    ask(workbench)

    run(workbench, 20)

    assert_once(workbench, 20)
    assert set(states(workbench)) == {"replayed"}


def test_a_storage_that_is_lost_after_a_replay_has_it_once(workbench):
    send_among_good(workbench, of_a_new_queue(workbench, 50), of_a_new_queue(workbench, 51))
    allow_the_queue(workbench)
    first = next(e for e in entries(workbench) if e.origin[1:] == place_of(workbench, 50))
    ask(workbench, PRODUCT, first)
    run(workbench, 1)
    workbench.home.storage(PRODUCT).unlink()
    run(workbench, 0)
    ask(workbench)

    run(workbench, 2)

    assert_once(workbench, 2)
    assert states(workbench) == ["replayed", "replayed"]


def place_of(bench, number: int) -> tuple[int, int]:
    """Where the call of that number stands on the staging topic."""
    key = calls(1, number)["call_id"][0].as_py().encode()
    (found,) = (m for m in bench.messages(bench.contract(STAGING).topic) if m.key() == key)
    return found.partition(), found.offset()


def test_a_storage_from_before_a_replay_has_it_once_and_not_what_was_erased_since(workbench):
    bad = [of_a_new_queue(workbench, 50), of_a_new_queue(workbench, 51)]
    send_among_good(workbench, *bad)
    storage = workbench.home.storage(PRODUCT)
    copy = shutil.copy(storage, storage.with_name("copy"))
    allow_the_queue(workbench)
    ask(workbench)
    run(workbench, 2)
    workbench.send(PRODUCT, [{"key": bad[1]["key"], "value": None}])
    run(workbench, 1)
    shutil.move(copy, storage)
    ask(workbench)

    run(workbench, 2)

    expected = sorted([*ids_of(calls(3)), *ids_of(calls(1, 50))])
    assert stored_ids(workbench) == expected
    assert stored_ids(workbench, "input", "finished_calls") == expected
    assert len(published(workbench)) == len(expected) + 2  # the erased call, and its tombstone


def test_asks_that_retention_has_taken_do_not_stop_the_product(workbench):
    send_among_good(workbench, of_a_new_queue(workbench))
    allow_the_queue(workbench)
    ask(workbench)
    run(workbench, 1)
    ask(workbench, PRODUCT, *entries(workbench))
    source = plan_product(workbench.project(), PRODUCT).inputs[0]
    client = workbench.backbone.administrator()._client
    everything = TopicPartition(source.retry_topic, 0, OFFSET_END)
    client.delete_records([everything])[everything].result()

    run(workbench, 0)
    workbench.home.storage(PRODUCT).unlink()
    run(workbench, 0)

    assert published_ids(workbench) == sorted(ALL)
