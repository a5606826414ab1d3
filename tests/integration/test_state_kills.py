"""Tests of state ports whose product is killed or stopped at any point."""

from __future__ import annotations

import random
import signal
import time
from itertools import islice

import pytest

from mesh.product import engine, fetch, state_port
from mesh.product.engine import Engine
from mesh.product.position import Batch
from mesh.product.relay import Relay, RelayFailed
from mesh.product.state_engine import StateEngine
from tests.stats import (
    CALLERS,
    HEAVY,
    NUMBERS,
    PHONES,
    PHONES_SQL,
    STATS,
    assert_never_back,
    assert_true,
    counts,
    expected,
    feed,
    few,
    history,
    rewrite,
    run,
    storage_of,
)
from tests.stream import FaultyRelay, process

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.mark.parametrize("point", ["before", "within", "after"])
def test_a_publication_that_fails_is_made_once(bench, point):
    with bench.running(STATS) as runtime:
        bench.settle(runtime)
        runtime._relay = FaultyRelay(runtime._relay, [point])
        feed(bench, 20)
        with pytest.raises(RelayFailed):
            bench.settle(runtime, 20)
        bench.settle(runtime)

    assert_true(bench, PHONES)
    assert len(history(bench, PHONES)) == NUMBERS


def test_a_large_change_is_published_in_pieces_and_recovered_between_them(bench, monkeypatch):
    monkeypatch.setattr(engine, "FAN_OUT", 3)
    feed(bench, 20)
    run(bench, STATS)
    before = len(history(bench, PHONES))
    rewrite(bench, PHONES_SQL.replace("count(*)", "count(*) + 100"))
    with bench.running(STATS) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, ["", "before"])
        with pytest.raises(RelayFailed):
            bench.settle(runtime)
    assert len(history(bench, PHONES)) == before + 3
    storage_of(bench, STATS).unlink()

    run(bench, STATS)

    assert len(history(bench, PHONES)) == before + NUMBERS
    assert_true(bench, PHONES)
    assert_never_back(bench, PHONES, lambda row: row["calls"])


def test_a_product_that_is_killed_again_and_again_says_the_truth_in_the_end(bench):
    chance = random.Random(5)  # noqa: S311 - a drill that can be repeated
    fed = 0
    for _ in range(4):
        feed(bench, 150, fed)
        fed += 150
        for product in (STATS, HEAVY):
            with process(bench, "run", product) as (child, log):
                while b" running" not in log.read_bytes():
                    assert child.poll() is None, log.read_text()
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.3))
                child.send_signal(signal.SIGKILL)
                child.wait()
    for product in (STATS, HEAVY):
        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(fed))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])


def run_through_steps(bench, steps: int) -> None:
    """Run `call-stats`, stopped within its comparison after so many transactions."""
    compare = StateEngine.compare

    def compare_or_stop(self, *arguments):
        yield from islice(compare(self, *arguments), steps)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StateEngine, "compare", compare_or_stop)
        with pytest.raises(KeyboardInterrupt):
            run(bench, STATS)


def test_a_comparison_that_is_stopped_between_its_transactions_says_each_row_once(
    bench, monkeypatch
):
    monkeypatch.setattr(state_port, "PIECE", 2)
    feed(bench, 20)
    # Kafka shows what was committed a moment later, so not until none waits: until all came.
    run(bench, STATS, 20)
    before = len(history(bench, PHONES))
    rewrite(bench, PHONES_SQL.replace("count(*)", "count(*) + 100"))
    for steps in (1, 3, 4, 6):
        run_through_steps(bench, steps)

    run(bench, STATS)

    assert len(history(bench, PHONES)) == before + NUMBERS
    assert_true(bench, PHONES)
    assert_never_back(bench, PHONES, lambda row: row["calls"])


class SlowRelay:
    """A relay whose publications take a while, as on a busy broker."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def __getattr__(self, name: str) -> object:
        return getattr(self._relay, name)

    def publish(self, batch: Batch) -> None:
        time.sleep(1)
        self._relay.publish(batch)


def test_what_is_on_its_way_when_a_port_is_compared_is_not_said_again(bench, monkeypatch):
    monkeypatch.setattr(state_port, "PIECE", 2)
    feed(bench, 20)
    run(bench, STATS, 20)
    before = len(history(bench, PHONES))
    rewrite(bench, PHONES_SQL.replace("count(*)", "count(*) + 100"))
    run_through_steps(bench, 6)

    with bench.running(STATS) as runtime:
        runtime._relay = SlowRelay(runtime._relay)
        bench.settle(runtime)

    assert len(history(bench, PHONES)) == before + NUMBERS


def run_for(bench, product: str, batches: int) -> None:
    """Run a product that is stopped within its recovery, after some *batches*."""
    left, take_in = iter(range(batches)), Engine.take_in

    def take_in_or_stop(self, *arguments, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return take_in(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "take_in", take_in_or_stop)
        with pytest.raises(KeyboardInterrupt):
            run(bench, product)


def test_a_recovery_that_is_stopped_again_and_again_gets_there_later(bench, monkeypatch):
    monkeypatch.setattr(fetch, "BATCH_ROWS", 5)
    feed(bench, 60)
    for product in (STATS, HEAVY):
        run(bench, product)
        storage_of(bench, product).unlink()
        for batches in (1, 2, 1):
            run_for(bench, product, batches)

        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(60))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])
