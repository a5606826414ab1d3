"""The ladder: each rung by its proofs, lost when they go stale, never skipped."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.contract.ladder import (
    RUNGS,
    Delivery,
    Evidence,
    Sight,
    Trial,
    digest_of,
    rung_of,
    standing,
)
from mesh.contract.odps import load_product
from tests.repository import ROOT

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
LATENCY = [{"property": "latency", "value": 60, "unit": "s"}]
MINUTES_A_LOOK = 10


@pytest.fixture(scope="module")
def product():
    """The call center, with a latency that it promises."""
    found = load_product(ROOT / "products" / "call_center")
    port = found.outputs[0]
    document = {**port.contract.document, "slaProperties": LATENCY}
    contract = replace(port.contract, document=document)
    return replace(found, outputs=(replace(port, contract=contract),))


def before(**ago):
    return NOW - timedelta(**ago)


def sights(days, **changed):
    """What a look each ten minutes sees of a product that keeps its promise, for *days*."""
    count = int(days * 24 * 60 / MINUTES_A_LOOK)
    return tuple(
        Sight(
            at=before(minutes=MINUTES_A_LOOK * number),
            state="running",
            lag=0,
            freshness_s=0.1,
            last_arrival_at=before(minutes=MINUTES_A_LOOK * number, seconds=5),
            taken_in=100_000 - number,
            **changed,
        )
        for number in reversed(range(count + 1))
    )


def whole(product):
    """The evidence of a product that stands on the top."""
    contract = product.outputs[0].contract
    return Evidence(
        deliveries=(
            Delivery(port=contract.port, at=before(hours=2), rows=3),
            Delivery(port=contract.port, at=before(minutes=5), rows=3),
        ),
        tests=(
            Trial(port=contract.port, at=before(hours=1), digest=digest_of(contract), rows=100),
        ),
        sights=sights(8),
        readers={"key-ring": before(hours=3)},
    )


def rung(product, evidence, now=NOW):
    return standing(product, evidence, now).rung


def test_a_product_that_keeps_all_it_promises_is_certified(product):
    found = standing(product, whole(product), NOW)
    assert found.rung == "certified"
    assert all(each.is_met for each in found.evidence)
    assert "top" in found.next_step


def test_a_product_of_which_nothing_was_seen_is_a_dump_that_lacks_its_data(product):
    found = standing(product, Evidence(), NOW)
    assert found.rung == "dump"
    assert not found.evidence[0].is_met
    assert found.next_step == "deliver its data (dump)"


def test_one_delivery_is_a_dump_and_a_second_refreshes_it(product):
    every = whole(product).deliveries
    assert rung(product, Evidence(deliveries=every[:1])) == "dump"
    assert rung(product, Evidence(deliveries=every)) == "refreshed"


def test_deliveries_that_came_too_far_apart_are_not_on_schedule(product):
    port = product.outputs[0].name
    late = (Delivery(port=port, at=before(days=9)), Delivery(port=port, at=before(minutes=1)))
    assert rung(product, Evidence(deliveries=late)) == "dump"


@pytest.mark.parametrize(
    ("lost", "left"),
    [
        ({"deliveries": ()}, "dump"),
        ({"tests": ()}, "refreshed"),
        ({"sights": ()}, "contracted"),
        ({"sights": sights(0.9)}, "contracted"),
        ({"sights": sights(2)}, "live"),
        ({"readers": {}}, "live"),
        ({"readers": {"key-ring": NOW - timedelta(days=8)}}, "live"),
    ],
)
def test_each_rung_falls_with_its_evidence_and_the_next_step_names_it(product, lost, left):
    found = standing(product, replace(whole(product), **lost), NOW)
    assert found.rung == left
    assert found.next_step.endswith(
        f"({RUNGS[RUNGS.index(left) + 1] if lost != {'deliveries': ()} else 'dump'})"
    )


def test_a_draft_is_not_contracted(product):
    port = product.outputs[0]
    document = {**port.contract.document, "status": "draft"}
    draft = replace(
        product, outputs=(replace(port, contract=replace(port.contract, document=document)),)
    )
    evidence = whole(product)
    tests = (replace(evidence.tests[0], digest=digest_of(draft.outputs[0].contract)),)
    assert rung(draft, replace(evidence, tests=tests)) == "refreshed"


def test_a_contract_that_was_edited_since_its_test_is_not_contracted(product):
    evidence = whole(product)
    assert (
        rung(product, replace(evidence, tests=(replace(evidence.tests[0], digest="0"),)))
        == "refreshed"
    )


def test_a_test_that_found_something_broken_takes_the_rung(product):
    evidence = whole(product)
    broken = replace(evidence.tests[0], at=before(minutes=1), broken={"queue.enum": 2})
    found = standing(product, replace(evidence, tests=(*evidence.tests, broken)), NOW)
    assert found.rung == "refreshed"
    assert any("queue.enum by 2" in each.seen for each in found.evidence)


def test_a_test_of_no_rows_proves_nothing(product):
    evidence = whole(product)
    assert (
        rung(product, replace(evidence, tests=(replace(evidence.tests[0], rows=0),))) == "refreshed"
    )


def test_what_was_seen_of_a_port_that_is_gone_proves_nothing(product):
    evidence = whole(product)
    gone = replace(evidence.tests[0], port="gone")
    seen = replace(evidence, tests=(replace(evidence.tests[0], rows=0), gone))
    assert rung(product, seen) == "refreshed"


@pytest.mark.parametrize(
    "last",
    [
        {"state": "absent", "lag": None},
        {"state": "paused"},
        {"state": "waiting"},
        {"freshness_s": 61.0},
        {"lag": 5, "last_arrival_at": NOW - timedelta(minutes=2)},
        {"lag": 5, "last_arrival_at": None},
    ],
)
def test_a_product_that_is_stopped_or_late_is_not_live_from_the_next_look_on(product, last):
    evidence = whole(product)
    seen = (*evidence.sights, replace(evidence.sights[-1], at=NOW, **last))
    assert rung(product, replace(evidence, sights=seen)) == "contracted"


def test_a_short_stop_within_the_availability_does_not_cost_the_day(product):
    evidence = whole(product)
    seen = list(evidence.sights)
    seen[-20] = replace(seen[-20], state="absent")
    assert rung(product, replace(evidence, sights=tuple(seen))) == "certified"
    for number in range(-24, -20):
        seen[number] = replace(seen[number], state="absent")
    assert rung(product, replace(evidence, sights=tuple(seen))) == "contracted"


def test_what_nobody_saw_does_not_count(product):
    evidence = whole(product)
    gap = [each for each in evidence.sights if not before(hours=9) < each.at < before(hours=7)]
    assert rung(product, replace(evidence, sights=tuple(gap))) == "contracted"


def test_too_much_in_quarantine_is_not_certified_and_a_rebuilt_storage_counts_anew(product):
    evidence = whole(product)
    *early, last = evidence.sights
    bad = replace(last, rejected=900)
    assert rung(product, replace(evidence, sights=(*early, bad))) == "live"
    rebuilt = [replace(each, taken_in=5_000_000, rejected=60_000) for each in early]
    assert rung(product, replace(evidence, sights=(*rebuilt, last))) == "certified"


def test_as_the_clock_moves_each_rung_is_lost_in_turn(product):
    evidence = whole(product)
    seen = [
        rung(product, evidence, NOW + timedelta(**later))
        for later in ({}, {"minutes": 16}, {"hours": 26}, {"days": 2})
    ]
    assert seen == ["certified", "contracted", "refreshed", "dump"]


def test_what_was_seen_later_does_not_count_yet(product):
    assert rung(product, whole(product), before(days=9)) == "dump"


@given(st.data())
def test_no_rung_is_held_without_all_below_and_losing_a_proof_never_raises(product, data):
    proofs = standing(product, whole(product), NOW).evidence
    met = data.draw(st.lists(st.booleans(), min_size=len(proofs), max_size=len(proofs)))
    some = [replace(each, is_met=ok) for each, ok in zip(proofs, met, strict=True)]
    reached = RUNGS.index(rung_of(some))
    below = [each for each in some if RUNGS.index(each.rung) <= reached]
    assert reached == 0 or all(each.is_met for each in below)
    lost = data.draw(st.integers(0, len(some) - 1))
    less = [replace(each, is_met=False) if at == lost else each for at, each in enumerate(some)]
    assert RUNGS.index(rung_of(less)) <= reached


@given(st.sampled_from(["deliveries", "tests", "sights", "readers"]), st.integers(0, 40))
def test_losing_good_evidence_never_raises(product, what, at):
    evidence = replace(whole(product), sights=sights(1.01))
    found = list(getattr(evidence, what))
    del found[at % len(found)]
    less = {"readers": {}} if what == "readers" else {what: tuple(found)}
    assert RUNGS.index(rung(product, replace(evidence, **less))) <= RUNGS.index(
        rung(product, evidence)
    )
