"""Tests that a product's process stays within 400 MB of memory, whatever waits for it.

What is measured is the real process, `mesh run`, by the kernel's own high-water mark. The long
forms are those of the promise; the short ones would show any growth with the backlog.
"""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.backlog import Seen, fill, many_calls, replaced, run_through
from tests.stats import PHONES_SQL, STATS, open_stats, rewrite
from tests.stream import CALLS, PRODUCT, STAGING, set_aside

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a high-water mark"),
]

LIMIT_MB = 400


def within_limit(seen: Seen) -> None:
    """Fails where the process took more than it may."""
    assert seen.peak_mb <= LIMIT_MB, f"{seen.peak_mb:.0f} MB"


def wait_with(bench, count: int, timeout_s: float) -> Seen:
    """So many calls wait for the call center, which then works through them."""
    fill(bench, bench.contract(STAGING), "telephony", many_calls(count))
    seen = run_through(bench, PRODUCT, timeout_s=timeout_s)
    with bench.opened(PRODUCT) as storage:
        found = storage.connection.execute("select count(*) from main.calls").fetchall()
    assert found == [(count,)]
    return seen


def test_a_backlog_of_small_messages_takes_no_more_memory_than_a_product_may(workbench):
    within_limit(wait_with(workbench, 200_000, 120))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_backlog_of_three_million_messages_takes_no_more_memory_than_a_product_may(workbench):
    within_limit(wait_with(workbench, 3_000_000, 3000))


def large_calls(count: int, size: int) -> Iterator[pa.Table]:
    """Calls with a reason of so many characters that do not compress."""
    for rows in many_calls(count):
        for start in range(0, rows.num_rows, 20):
            piece = rows.slice(start, 20)
            texts = [base64.b64encode(os.urandom(size)).decode()[:size] for _ in piece["reason"]]
            yield replaced(piece, "reason", texts)


def test_messages_of_nearly_a_megabyte_take_no_more_memory_than_a_product_may(workbench):
    fill(workbench, workbench.contract(STAGING), "telephony", large_calls(300, 900_000))

    within_limit(run_through(workbench, PRODUCT, timeout_s=120))

    assert [each["rule"] for each in set_aside(workbench)] == ["size"] * 300


def test_rows_of_ten_kilobytes_take_no_more_memory_than_a_product_may(workbench):
    fill(workbench, workbench.contract(STAGING), "telephony", large_calls(4_000, 10_000))

    within_limit(run_through(workbench, PRODUCT, timeout_s=120))

    assert set_aside(workbench) == []


def with_keys(backbone, folder, keys: int, timeout_s: float) -> None:
    """A state port of so many keys, computed from a backlog, and then by another query anew."""
    with open_stats(backbone, folder) as bench:
        pieces = (
            rows.append_column("duration_s", pa.array([60] * rows.num_rows, pa.int64()))
            for rows in many_calls(keys, numbers=keys)
        )
        fill(bench, bench.contract(CALLS), PRODUCT, pieces)
        within_limit(run_through(bench, STATS, timeout_s=timeout_s))

        rewrite(bench, PHONES_SQL.replace("count(*)", "count(*) + 1"))
        # One more, to see that it is through.
        one = next(many_calls(1, numbers=keys))
        fill(
            bench, bench.contract(CALLS), PRODUCT,
            iter([one.append_column("duration_s", pa.array([60], pa.int64()))]),
        )  # fmt: skip
        within_limit(run_through(bench, STATS, timeout_s=timeout_s))
        with bench.opened(STATS) as storage:
            sql = "select count(*), min(calls) from main.phones"
            assert storage.connection.execute(sql).fetchall() == [(keys, 2)]


def test_a_state_port_of_many_keys_takes_no_more_memory_than_a_product_may(backbone, tmp_path):
    with_keys(backbone, tmp_path, 200_000, 120)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_state_port_of_a_million_keys_takes_no_more_memory(backbone, tmp_path):
    with_keys(backbone, tmp_path, 1_000_000, 1500)
