"""What measures the mesh still runs: each measurement at a size that says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.stage import CALLS, PRODUCT, drop_masked
from mesh.contract.project import load_project
from mesh.product.plan import plan_product
from mesh.testing.copies import copy_project

ROOT = Path(__file__).parents[2]
ONCE = ["--rounds", "1"]
QUICK = {
    "marts": ["--calls", "20000", "--new", "10", *ONCE],
    "state": ["--size", "2000", *ONCE],
}
LONG = {
    "audit": ["--entries", "20000", *ONCE],
    "audit_topic": ["--rows", "5000", *ONCE],
    "catalogue": ["--products", "10"],
    "codec": ["--rows", "1000", "--json", *ONCE],
    "freshness": ["--seconds", "2", *ONCE],
    "growth": ["--rows", "500", "--keys", "200", *ONCE],
    "hop": ["--rows", "5000", *ONCE],
    "ingest": ["--rows", "5000", *ONCE],
    "keyring_http": ["--questions", "20", *ONCE],
    "profile": ["--contracts", "2000", *ONCE],
    "publish": ["--rows", "5000", *ONCE],
    "sql": ["--calls", "20000", *ONCE],
    "sql_fresh": ["--rows", "5000", "--seconds", "3"],
    "sql_fresh_kafka": ["--rows", "5000", "--seconds", "3"],
}


def measured(name: str, options: list[str], results: Path) -> None:
    """Run one, and read what it reports; what is kept of the last real one stays."""
    line = [sys.executable, "-m", f"bench.{name}", *options]
    environment = {**os.environ, "MESH_BENCH_RESULTS": str(results)}
    done = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout)


@pytest.mark.parametrize("name", QUICK)
def test_a_measurement_runs_and_reports(name: str, tmp_path: Path):
    measured(name, QUICK[name], tmp_path)


@pytest.mark.long  # peers have environments of their own, made at the first use
@pytest.mark.parametrize("name", LONG)
def test_a_measurement_with_peers_or_clients_runs_and_reports(name: str, tmp_path: Path):
    measured(name, LONG[name], tmp_path)


def test_every_measurement_is_run_here_but_those_that_take_minutes_at_any_size():
    shared = {"__init__", "many", "measure", "stage"}
    known = {path.stem for path in (ROOT / "bench").glob("*.py")} - shared
    assert known - QUICK.keys() - LONG.keys() == {"days", "keyring", "sql_load"}


def test_the_project_of_measurements_is_whole_without_its_masked_port(tmp_path: Path):
    copy_project(ROOT, tmp_path / "project", "x")
    drop_masked(tmp_path / "project")
    plan = plan_product(load_project(tmp_path / "project"), PRODUCT)
    assert [each.contract.id for each in plan.outputs] == [CALLS]
