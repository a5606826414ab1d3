"""Whether a product was away for longer than deletions are kept, whatever its clock says."""

from __future__ import annotations

import pytest

from mesh.contract.project import load_project
from mesh.product.life import Life
from mesh.product.plan import plan_product
from mesh.product.storage import Storage
from tests.repository import ROOT

YEAR_S = 365 * 86_400.0


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set: the only item."""
    found = [1_800_000_000.0]
    monkeypatch.setattr("mesh.product.life.time.time", lambda: found[0])
    return found


@pytest.fixture
def storage(tmp_path):
    found = Storage.open(tmp_path / "storage.duckdb", [])
    yield found
    found.close()


def life_of(storage: Storage) -> Life:
    return Life(storage, plan_product(load_project(ROOT), "contracts"))


def test_a_clock_that_was_ahead_hides_no_absence(clock, storage):
    now = clock[0]
    clock[0] = now + 10 * YEAR_S
    life_of(storage).met()

    clock[0] = now
    assert life_of(storage).is_overdue


def test_a_clock_that_was_set_right_counts_from_then_on(clock, storage):
    now = clock[0]
    clock[0] = now + 10 * YEAR_S
    life = life_of(storage)
    life.met()

    clock[0] = now
    life.met()
    assert not life_of(storage).is_overdue

    clock[0] = now + 2 * YEAR_S
    assert life_of(storage).is_overdue


def test_a_clock_that_is_set_back_by_minutes_changes_nothing(clock, storage):
    life_of(storage).met()

    clock[0] -= 600
    assert not life_of(storage).is_overdue
