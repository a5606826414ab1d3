"""The gate of a report says what it lacks, and decisions count in the order they were made in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from company import plugin
from mesh.contract.names import to_kebab
from mesh.contract.project import load_project
from mesh.errors import WrongUse
from mesh.migrate.burndown import burn_down, still_needed
from mesh.migrate.burndown_chart import FIGURES, chart_of
from mesh.migrate.causes import load_causes
from mesh.migrate.decisions import CUT_OVER, ROLLED_BACK, Decision, agreed, source_of
from mesh.migrate.gate import Facts, blamed, lacking, newest
from mesh.migrate.jobs import load_jobs, reports, upstream
from mesh.migrate.sources import products_in
from tests.repository import ROOT

LAST = date(2026, 1, 10)
NIGHTS = 5
OPEN = Facts(
    report="porting",
    last_night=LAST,
    unexplained={LAST - timedelta(days=each): 0 for each in range(NIGHTS)},
    ours={},
    rungs={"key-ring": "certified", "call-center": "certified"},
    readers=frozenset({"linus", "ada"}),
    agreed=frozenset({"linus", "ada"}),
)
JOBS = load_jobs(plugin.warehouse.folder)
NAMES = [to_kebab(each) for each in reports(JOBS)]
BEGIN = datetime(2026, 2, 1, tzinfo=UTC)


def decided(*words: str, report: str = "porting", digest: str = "a") -> list[Decision]:
    """Decisions in this order; `agreed ada` is that of ada."""
    return [
        Decision(
            report=report,
            number=number,
            decision=word.partition(" ")[0],
            principal=word.partition(" ")[2] or "barbara",
            digest=digest,
            decided_at=BEGIN + timedelta(days=number),
        )
        for number, word in enumerate(words, 1)
    ]


def test_the_gate_opens_where_nothing_is_missing():
    assert lacking(OPEN, NIGHTS) == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"last_night": LAST + timedelta(days=1)}, "the ledger has nothing of 2026-01-11: "),
        ({"unexplained": {}}, "--from 2026-01-06 --to 2026-01-10"),
        ({"unexplained": {**OPEN.unexplained, LAST: 3}}, "3 rows of 2026-01-10 have no cause"),
        ({"ours": {LAST: 2}}, "2 rows of 2026-01-10 differ by a fault of the mesh"),
        ({"rungs": {"key-ring": "live"}}, "key-ring is not certified but live: "),
        ({"rungs": {"key-ring": None}}, "key-ring is not certified but unknown: "),
        ({"agreed": frozenset({"ada"})}, "linus has not agreed: `mesh migrate agree porting --as"),
        ({"readers": OPEN.readers | {"eve"}}, "eve has not agreed: "),
    ],
    ids=[
        "a night later",
        "no ledger",
        "no cause",
        "our fault",
        "live",
        "unknown",
        "disagreed",
        "new",
    ],
)
def test_the_gate_says_what_is_missing(changed, said):
    (missing,) = lacking(replace(OPEN, **changed), NIGHTS)

    assert said in missing


def test_what_is_older_than_the_nights_asked_for_does_not_count():
    old = {**OPEN.unexplained, LAST - timedelta(days=NIGHTS): 9}

    assert lacking(replace(OPEN, unexplained=old), NIGHTS) == ()
    assert len(lacking(replace(OPEN, unexplained=old), NIGHTS + 1)) == 1


def compared(after_days: int, unexplained: int, **changed: object) -> dict[str, object]:
    """A row of the ledger, of a comparison so many days after the first."""
    at = BEGIN + timedelta(days=after_days)
    row = {"report": "porting", "day": LAST, "compared_at": at, "unexplained": unexplained}
    return {**row, "digest": "a", **changed}


def test_of_a_day_the_newest_comparison_with_this_query_counts_whatever_the_order():
    rows = [
        compared(2, 4), compared(0, 0), compared(3, 0, report="handling-time"),
        compared(3, 0, digest="of another text"),
    ]  # fmt: skip

    assert newest(rows, "porting", "a") == {LAST: compared(2, 4)}
    assert newest(rows, "porting", "of no text") == {}


def test_a_row_that_a_fault_of_ours_explains_is_ours_with_others_too():
    causes = [
        {"cause": "late-data", "rows": 5},
        {"cause": "fault-of-ours", "rows": 2},
        {"cause": "fault-of-ours + rounding", "rows": 1},
    ]
    faults = {each.name for each in load_causes(plugin.warehouse.folder) if each.is_ours}

    assert blamed({"causes": causes}, faults) == 3


def test_a_report_comes_from_where_the_last_turn_has_put_it():
    assert source_of([], "porting") == "warehouse"
    assert source_of(decided("agreed ada"), "porting") == "warehouse"
    assert source_of(decided(CUT_OVER), "porting") == "mesh"
    assert source_of(decided(CUT_OVER, ROLLED_BACK, "agreed ada"), "porting") == "warehouse"
    assert source_of(decided(CUT_OVER), "handling-time") == "warehouse"


def test_an_agreement_holds_until_the_report_changes_or_its_query_does():
    assert agreed(decided("agreed ada", "agreed linus"), "porting", "a") == {"ada", "linus"}
    assert agreed(decided("agreed ada"), "porting", "b") == frozenset()
    assert agreed(decided("agreed ada", CUT_OVER, ROLLED_BACK), "porting", "a") == frozenset()
    again = decided("agreed ada", CUT_OVER, ROLLED_BACK, "agreed linus")
    assert agreed(again, "porting", "a") == {"linus"}


def test_the_products_that_a_query_reads_are_found_and_a_table_of_none_is_refused():
    project = load_project(ROOT)
    sql = "with a as (from identity.key_ring.links) from a join sales.contracts.contracts using (x)"

    assert products_in(sql, project) == ("contracts", "key-ring")
    with pytest.raises(WrongUse, match=r"staging\.calls is no port"):
        products_in("from staging.calls", project)


def test_a_cte_does_not_hide_a_port_of_its_name():
    sql = "with links as (from identity.key_ring.links) from links, identity.key_ring.links"

    assert products_in(sql, load_project(ROOT)) == ("key-ring",)


def test_at_first_all_is_needed_and_at_last_nothing():
    turns = [each for name in NAMES for each in decided(CUT_OVER, report=name)]

    found = burn_down(JOBS, turns)

    assert (found[0].jobs, found[0].lines) == (len(JOBS), sum(each.lines for each in JOBS))
    assert (found[-1].jobs, found[-1].tables, found[-1].lines) == (0, 0, 0)
    assert [each.jobs for each in found] == sorted((each.jobs for each in found), reverse=True)


@given(st.sets(st.sampled_from(NAMES)))
def test_a_job_is_needed_as_long_as_one_report_is_left_that_it_goes_into(left):
    names = [each for each in reports(JOBS) if to_kebab(each) in left]
    needed = {job.name for each in names for job in upstream(JOBS, each)}

    assert still_needed(JOBS, left).jobs == len(needed)


def test_a_roll_back_brings_up_what_the_cut_over_took():
    first, after, again = burn_down(JOBS, decided("agreed linus", CUT_OVER, ROLLED_BACK))

    assert after.jobs < first.jobs
    assert (again.jobs, again.tables, again.lines) == (first.jobs, first.tables, first.lines)


def test_a_chart_falls_and_rises_with_what_is_needed_and_says_it_in_words():
    steps = burn_down(JOBS, decided(CUT_OVER, ROLLED_BACK, report="calls-per-contract"))
    picture = ElementTree.fromstring(chart_of(steps))  # noqa: S314 - it is ours

    curves = [each for each in picture.iter() if each.tag.endswith("polyline")]
    assert {each.get("class") for each in curves} == set(FIGURES)
    for curve in curves:
        heights = [int(each.split(",")[1]) for each in str(curve.get("points")).split()]
        assert heights[0] == heights[-1] < max(heights)
    title = next(each.text for each in picture.iter() if each.tag.endswith("title"))
    assert f"{len(JOBS)} of {len(JOBS)} jobs" in str(title)
