"""A run of a batch port by day that is killed: each day is the old or the new one, never half."""

from __future__ import annotations

import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from company.network import truth
from mesh.product.failpoints import BATCH_POINTS
from tests.days import PER_DAY, SEED, Port, day

RUN = """
import sys
from datetime import date
from pathlib import Path
from mesh.product.failpoints import arm
from tests.days import Port
arm(sys.argv[2])
Port(Path(sys.argv[1])).run()
"""


@pytest.fixture
def port(tmp_path) -> Port:
    return Port(tmp_path)


def killed(port: Port, failpoint: str) -> bool:
    """Run in a process of its own, which kills itself; whether it did."""
    command = [sys.executable, "-c", RUN, str(port.folder), f"kill:{failpoint}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == -9


@pytest.mark.parametrize("point", BATCH_POINTS)
def test_a_run_that_is_killed_leaves_the_old_day_or_the_new_one(port, point):
    port.land(PER_DAY)
    port.run()
    before, after = port.counts()[day(0)], truth(SEED, 0, PER_DAY)[0]
    port.land(2 * PER_DAY)

    assert killed(port, point)

    is_new = BATCH_POINTS.index(point) >= BATCH_POINTS.index("day-published")
    assert port.counts() == {day(0): after if is_new else before}
    port.run()
    assert port.counts()[day(0)] == after
    # Both generations of the day were heard of, whenever the run was killed.
    assert sorted(port.said) == [(day(0), 1), (day(0), 2), (day(1), 3)]


def test_without_the_list_a_killed_run_would_show_a_day_twice(port):
    port.land(PER_DAY)
    port.run()
    port.land(2 * PER_DAY)

    assert killed(port, "day-written")

    whole = sum(
        pq.read_metadata(each).num_rows for each in port.folder.glob("day=2026-01-01/?.parquet")
    )
    assert whole > port.counts()[day(0)] + PER_DAY // 2


def test_what_was_taken_for_a_later_run_is_not_lost_by_an_earlier_one(port):
    port.land(3 * PER_DAY)
    assert killed(port, "delivery-taken:5")

    port.run(day(0))
    port.run()

    assert port.counts()[day(2)] > 0
