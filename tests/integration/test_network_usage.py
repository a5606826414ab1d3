"""Runs of a batch product that are killed, again and again: each publication is told once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from company.network import SESSION, truth
from mesh.product.failpoints import BATCH_POINTS
from mesh.product.published import read_published
from mesh.testing import Backbone, Workbench, open_workbench
from tests.days import PER_DAY, SEED, Port, day
from tests.repository import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PRODUCT, LAST = "network-usage", "2026-01-31"
POINTS = (*BATCH_POINTS, "before-commit", "committed")


@pytest.fixture
def bench(backbone: Backbone, tmp_path: Path) -> Iterator[Workbench]:
    """A project of network-usage alone."""
    with open_workbench(backbone, source=ROOT, folder=tmp_path, products=[PRODUCT]) as found:
        yield found


def run(bench: Workbench, **settings: str) -> subprocess.CompletedProcess[str]:
    """One run, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "mesh", "run-batch", PRODUCT, "--as-of", LAST],
        env={**bench.environment(), **settings},
        cwd=bench.root,
        capture_output=True,
        text=True,
        check=False,
    )


def session(number: int) -> pa.Table:
    """One more session of the first day."""
    row = {
        "session_id": 10**9 + number,
        "day": day(0),
        "phone_number": "+12025550123",
        "sim_id": "8901000000000000001",
        "cell": "cell-000",
        "technology": "5G",
        "started_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
        "duration_s": 1,
        "up_bytes": 1,
        "down_bytes": 1,
    }
    return pa.Table.from_pylist([row], SESSION)


def test_every_publication_is_told_once_wherever_runs_are_killed(bench):
    port = Port(bench.home.by_day(PRODUCT, "usage"))
    for number, point in enumerate(POINTS, 1):
        port.land(number * PER_DAY)
        # The first day comes first, and each run replaces what the one before has published of it.
        port.drop("2026-01-01.extra", session(number))
        done = run(bench, MESH_FAILPOINT=f"kill:{point}")
        assert done.returncode == -9, f"{point}: {done.stderr}"
    done = run(bench)
    assert done.returncode == 0, done.stderr

    published = read_published(port.folder)
    told = bench.decoded(bench.messages(bench.contract(f"{PRODUCT}.published-days").topic))
    assert [each["generation"] for each in told] == [*range(1, published.generation + 1)]
    found = port.counts()
    assert found[day(0)] == truth(SEED, 0, PER_DAY)[0] + 1
    for each in range(1, len(POINTS) - 1):
        assert found[day(each)] == truth(SEED, each, PER_DAY)[0]
    assert len(found) == len(POINTS)

    with bench.running(PRODUCT) as runtime:
        bench.settle(runtime, len(told))
    rows = bench.rows(PRODUCT, "days")
    assert len(rows) == len(told)
    newest = {each["day"]: each for each in sorted(rows, key=lambda each: each["generation"])}
    assert {of: each["digest"] for of, each in newest.items()} == {
        of: each.digest for of, each in published.days.items()
    }


def test_a_run_without_kafka_publishes_nothing_and_says_so(bench):
    port = Port(bench.home.by_day(PRODUCT, "usage"))
    port.land(PER_DAY)

    done = run(bench, MESH_BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert done.returncode == 1
    assert "Kafka" in done.stderr.splitlines()[-1]
    assert port.counts() == {}
    assert run(bench).returncode == 0
    assert list(port.counts()) == [day(0)]
