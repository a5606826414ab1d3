"""The parity ledger over a running mesh: what is wrong in the warehouse is found by SQL alone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from company.billing_system import Billing
from company.calls import CALLS_PER_DAY
from company.clock import micros
from company.crm_system import Crm
from tests.life import Mesh, opened, wait_until
from tests.simulated import until_night

pytestmark = pytest.mark.slow

SEED, NIGHTS = 7, 6
# The second after the Sunday on which the warehouse maps numbers anew.
LAST = date(2026, 1, 6)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory) -> Iterator[Mesh]:
    """A mesh and a warehouse that were sent the same, the last night of which ran twice."""
    until = micros(until_night(LAST))
    sent = {
        "call-center": NIGHTS * CALLS_PER_DAY,
        "contracts": Crm().count_until(SEED, until),
        "billing": Billing().count_until(SEED, until),
    }
    with opened(tmp_path_factory.mktemp("parity") / "home") as mesh:
        mesh.run("up")
        for product, count in sent.items():
            mesh.run("feed", product, "--records", str(count))
        mesh.run("legacy", "run", "--nights", str(NIGHTS))
        mesh.run("legacy", "run", "--again", str(LAST))
        wait_until(lambda: has_all(mesh), timeout_s=180)
        yield mesh


def has_all(mesh: Mesh) -> bool:
    """Whether nothing waits before any service."""
    return all(not each.get("lag") for each in mesh.status()["services"])


def compared(mesh: Mesh, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """What the ledger says."""
    done = mesh.result("migrate", "compare", *arguments, "--as", "ada", "--json")
    assert done.returncode == code, done.stderr
    return list(json.loads(done.stdout)["reports"])


def test_each_fault_is_found_over_the_ports_of_a_running_mesh(mesh):
    pages = compared(mesh, "--from", "2026-01-05", "--to", str(LAST))

    causes: Counter[str] = Counter()
    for page in pages:
        assert page["unexplained"] == 0, page
        causes.update(page["causes"])
    assert len(pages) == 12
    assert {"time-zone", "ported-number", "repeated-night", "late-data"} <= causes.keys()
    (calls,) = (p for p in pages if (p["report"], p["day"]) == ("calls_per_contract", str(LAST)))
    topics = {"pub.customer-service.call-center.calls.v1", "pub.identity.key-ring.links.v1"}
    assert topics <= calls["offsets"].keys()


def test_a_row_that_somebody_edits_blocks_and_is_shown(mesh):
    import duckdb

    with duckdb.connect(str(mesh.home / "legacy" / "warehouse.duckdb")) as connection:
        connection.execute("update report.porting set numbers = numbers + 1 where what = 'came'")

    asked = ("porting", "--from", str(LAST))
    (page,) = compared(mesh, *asked, code=1)
    said = mesh.run("migrate", "compare", *asked, "--rows", "--as", "ada", code=1)

    assert page["unexplained"] == 1
    assert "no rule explains 1 rows of porting" in said
    assert "unexplained" in said


def test_whoever_is_not_granted_the_ports_cannot_compare(mesh):
    said = mesh.run("migrate", "compare", "handling_time", "--as", "mallory", code=2)

    assert "customer_service" in said
