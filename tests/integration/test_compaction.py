"""Topics that a real broker has compacted, tombstones and all, while nobody looked."""

from __future__ import annotations

import shutil

import duckdb
import pytest

from mesh.product.catching_up import CatchingUp
from mesh.product.life import Life
from mesh.product.plan import plan_product
from mesh.product.recovery import Recovery
from tests.compaction import compact, eager
from tests.stats import (
    CALLERS,
    HEAVY,
    NUMBERS,
    PHONES,
    STATS,
    assert_true,
    compacted,
    copy_of,
    counts,
    erase,
    expected,
    feed,
    few,
    history,
    open_stats,
    run,
    spoil,
    storage_of,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

CALLS = "call-center.calls"


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with both products of state ports, on a broker that compacts at once."""
    with open_stats(backbone, tmp_path) as found, eager(found):
        yield found


def erase_number(bench, number: int) -> None:
    """Erase both calls of a number at their source, and let the call center pass it on."""
    erase(bench, 1, number)
    erase(bench, 1, number + NUMBERS)


def left(*numbers: int) -> dict[str, int]:
    """How many calls each number has, two each, but for those that were erased."""
    everything = expected(few(NUMBERS * 2))
    return {key: n for key, n in everything.items() if int(key[-1]) not in numbers}


def age(bench, product: str) -> None:
    """Have a storage believe that it was away for weeks."""
    with duckdb.connect(str(storage_of(bench, product))) as connection:
        connection.execute("update mesh.life set met_at = met_at - 20 * 24 * 3600")


def kept(bench) -> dict[str, int]:
    """How many rows the second product keeps of each input."""
    return {name: len(bench.rows(HEAVY, name, "input")) for name in ("phones", "calls")}


def forget_deletions(bench) -> None:
    """Delete a number below each product's position and others above it; compact it all away."""
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)
    erase_number(bench, 0)
    run(bench, STATS)
    run(bench, HEAVY)  # which knows of number 0, and of no other
    erase_number(bench, 1)
    run(bench, STATS)  # which knows of number 1, and not of number 2
    erase_number(bench, 2)
    topics = [bench.contract(each).topic for each in (CALLS, PHONES)]
    compact(bench, *topics)


def test_who_was_away_for_longer_than_tombstones_are_kept_finds_what_was_deleted(bench):
    forget_deletions(bench)
    age(bench, STATS)
    age(bench, HEAVY)
    before = len(history(bench, CALLERS))

    run(bench, STATS)
    assert counts(bench, PHONES) == left(0, 1, 2)
    for where, step in ((CatchingUp, "_reread"), (Recovery, "refresh")):
        cut_off(bench, where, step)
    run(bench, HEAVY)

    assert counts(bench, CALLERS) == left(0, 1, 2)
    assert_true(bench, PHONES, CALLERS)
    # Two tombstones, and not a word more.
    assert len(history(bench, CALLERS)) == before + 2
    assert kept(bench) == {"phones": 4, "calls": 8}


def cut_off(bench, where: type, step: str) -> None:
    """Run the second product, and end it where its recovery comes to *step*."""

    def end(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(where, step, end)
        with pytest.raises(KeyboardInterrupt):
            run(bench, HEAVY)


def test_what_was_set_aside_before_is_not_set_aside_again(bench):
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    spoil(bench, "+12025550100", "+12025550101")
    run(bench, HEAVY)
    (source,) = plan_product(bench.project(), HEAVY).state_inputs
    before = len(bench.messages(source.rejected_topic)), bench.rows(HEAVY, "quality", "mesh")
    assert before[0] == 2
    age(bench, HEAVY)

    run(bench, HEAVY)

    after = len(bench.messages(source.rejected_topic)), bench.rows(HEAVY, "quality", "mesh")
    assert after == before
    # What it was away for is over: the next start reads nothing again.
    with bench.opened(HEAVY) as storage:
        assert not Life(storage, plan_product(bench.project(), HEAVY)).is_overdue


def test_without_the_time_of_the_last_contact_ghosts_stay(bench, monkeypatch):
    monkeypatch.setattr(Life, "is_overdue", False)
    forget_deletions(bench)
    run(bench, STATS)
    run(bench, HEAVY)

    assert counts(bench, PHONES) == left(0, 1)
    assert counts(bench, CALLERS) == left(0)


def test_an_older_copy_and_a_lost_storage_bring_no_deleted_row_back(bench):
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)
    copy = copy_of(bench, HEAVY)
    seen = dict(history(bench, PHONES))
    erase_number(bench, 0)
    run(bench, STATS)
    run(bench, HEAVY)
    erase_number(bench, 1)
    run(bench, STATS)
    seen |= dict(history(bench, PHONES))
    compact(bench, *(bench.contract(each).topic for each in (CALLS, PHONES, CALLERS)))

    # Who starts from the compacted topic has what they have who saw all of it.
    new = compacted(bench, PHONES)
    assert new == {key: row for key, row in seen.items() if row is not None}

    shutil.move(copy, storage_of(bench, HEAVY))
    run(bench, HEAVY)
    assert counts(bench, CALLERS) == left(0, 1)
    storage_of(bench, HEAVY).unlink()
    run(bench, HEAVY)
    assert counts(bench, CALLERS) == left(0, 1)
    assert_true(bench, CALLERS)
