"""Tests that each call is stored and published once, whatever is killed, lost or torn."""

from __future__ import annotations

import random
import signal
import threading
import time
from itertools import count

import pytest

from mesh.product.mapping import FileBatch
from mesh.product.relay import RelayFailed
from tests.stream import (
    PRODUCT,
    FaultyRelay,
    assert_each_once,
    calls,
    process,
    published_ids,
    run,
    stored_ids,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


PIECE = 100


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

    def open(self, *arguments) -> None:
        super().open(*arguments)


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
