"""Tests of state ports: the topic, the table and the whole query say the same, whatever happens."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from mesh.errors import InvalidFile, StorageError
from mesh.product import engine, inputs
from mesh.product.intake import Intake
from mesh.product.relay import RelayFailed
from mesh.testing.messages import send_all
from tests.stats import (
    CALLERS,
    HEAVY,
    PHONES,
    PHONES_SQL,
    STATS,
    compacted,
    open_stats,
    table,
    whole,
)
from tests.stream import CALLS, PRODUCT, FaultyRelay, calls

pytestmark = pytest.mark.broker

NUMBERS = 7


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with both products of state ports."""
    with open_stats(backbone, tmp_path) as found:
        yield found


def few(count: int, start: int = 0) -> pa.Table:
    """Calls from a few numbers only, so that each has several."""
    found = calls(count, start)
    numbers = pa.array([f"+1202555010{(start + i) % NUMBERS}" for i in range(count)])
    return found.set_column(found.schema.get_field_index("phone_number"), "phone_number", numbers)


def feed(bench, count: int, start: int = 0) -> None:
    """Feed calls and let the call center publish them."""
    bench.feed(PRODUCT, few(count, start))
    run(bench, PRODUCT, count)


def erase(bench, count: int, start: int = 0) -> None:
    """Erase calls at their source, and let the call center pass it on."""
    ids = few(count, start)["call_id"].to_pylist()
    bench.send(PRODUCT, [{"key": each.encode(), "value": None} for each in ids])
    run(bench, PRODUCT, count)


def run(bench, product: str, count: int = 0) -> None:
    """Run a product until *count* messages came and none waits."""
    with bench.running(product) as runtime:
        bench.settle(runtime, count)


def counts(bench, port: str = PHONES) -> dict[str, int]:
    """How many calls a port's topic says of each number."""
    return {key: row["calls"] for key, row in compacted(bench, port).items()}


def expected(*pieces: pa.Table) -> dict[str, int]:
    """How many of these calls each number has."""
    numbers = pa.concat_tables(pieces)["phone_number"]
    return {each["values"]: each["counts"] for each in pc.value_counts(numbers).to_pylist()}


def assert_true(bench, *ports: str) -> None:
    """Topic, table and whole query of each port agree."""
    for port in ports:
        truth = whole(bench, port)
        assert table(bench, port) == truth
        assert compacted(bench, port) == truth


def history(bench, port: str) -> list[tuple[str, Any]]:
    """Every message of a port's topic, key and row."""
    messages = bench.messages(bench.contract(port).topic)
    rows = bench.decoded(messages)
    return [(each.key().decode(), row) for each, row in zip(messages, rows, strict=True)]


def test_rows_arrive_and_change_and_each_has_its_own_event_id(bench):
    feed(bench, 40)
    run(bench, STATS, 40)
    feed(bench, 3, 40)
    run(bench, STATS, 3)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(40), few(3, 40))
    messages = bench.messages(bench.contract(PHONES).topic)
    headers = [dict(each.headers()) for each in messages]
    assert len(messages) == NUMBERS + 3
    assert len({each["ce_id"] for each in headers}) == len(messages)
    assert all(each["ce_time"] and each["traceparent"] for each in headers)


def test_an_erasure_lowers_the_counts_and_goes_through_two_hops(bench):
    feed(bench, 2 * NUMBERS + 1)
    run(bench, STATS)
    run(bench, HEAVY)
    assert counts(bench, CALLERS) == expected(few(2 * NUMBERS + 1))
    erase(bench, 1)
    erase(bench, 1, 1)
    erase(bench, 1, NUMBERS + 1)
    run(bench, STATS, 3)
    run(bench, HEAVY)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(
        few(2 * NUMBERS + 1).slice(2).filter(_not_at(NUMBERS - 1, 2 * NUMBERS - 1))
    )
    gone = few(2)["phone_number"][1].as_py()
    assert gone not in compacted(bench, PHONES)
    assert gone not in compacted(bench, CALLERS)
    assert (gone, None) in history(bench, CALLERS)


def _not_at(position: int, count: int) -> pa.Array:
    """A mask of *count* that leaves out one position."""
    return pa.array([number != position for number in range(count)])
