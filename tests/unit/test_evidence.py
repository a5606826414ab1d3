"""The book of evidence: what looks become, how much of it stays, and that all of it comes back."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from catalog.clock import Clock
from catalog.evidence import EvidenceBook
from catalog.evidence_topic import read_evidence
from catalog.ladder_kept import evidence_takers, writer
from catalog.looks import Look
from catalog.seen import MARK
from catalog.shelf import Observed
from mesh.contract.catalogue import EVIDENCE_TOPIC
from mesh.contract.ladder import Delivery, Trial, digest_of
from mesh.contract.odps import load_product
from tests.catalogue import BusInMemory
from tests.repository import ROOT

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def product():
    return load_product(ROOT / "products" / "call_center")


@pytest.fixture
def book():
    return EvidenceBook()


def seen(at=START, taken_in=0, rows=0, rejected=0, state="running", **more):
    """A look at the call center that saw this."""
    observed = Observed(
        observed_at=at,
        state=state,
        is_reached=state != "absent",
        lag=0,
        freshness_s=0.1,
        rows={"calls": rows},
        quarantine={"calls": rejected},
    )
    return Look(observed=replace(observed, **more), taken_in=taken_in)


def restored(bus, log=lambda _: None):
    """A book with what is on *bus*."""
    book = EvidenceBook()
    read_evidence(bus, evidence_takers(book), log)
    return book


def counts(book):
    return [len(each) for each in book.seen("call-center").deliveries.values()]


def test_a_product_that_nobody_looked_at_has_no_standing(book, product):
    assert book.standing(product, START) is None


def test_messages_that_came_since_the_last_look_are_a_delivery(book, product):
    book.see(product, seen(taken_in=0))
    assert counts(book) == []
    book.see(product, seen(START + SECOND, taken_in=5, rows=5))
    book.see(product, seen(START + 2 * SECOND, taken_in=5, rows=5))
    assert counts(book) == [1]
    book.see(product, seen(START + 3 * SECOND, taken_in=9, rows=9))
    assert counts(book) == [2]
    assert book.standing(product, START + 4 * SECOND).rung == "refreshed"


def test_a_state_that_changes_within_its_rows_is_delivered_unless_all_was_set_aside(book):
    product = load_product(ROOT / "products" / "contracts")
    rows = {each.name: 1 for each in product.outputs}

    def look(at, taken_in, rejected=0):
        observed = replace(seen(at, rejected=rejected).observed, rows=rows)
        book.see(product, Look(observed=observed, taken_in=taken_in))

    look(START, 0)
    look(START + SECOND, 5, rejected=5)
    assert book.seen("contracts").deliveries == {}
    look(START + 2 * SECOND, 6, rejected=5)
    found = book.seen("contracts").deliveries
    states = [each.name for each in product.outputs if each.contract.kind == "state"]
    assert sorted(found) == sorted(states)


def test_a_storage_that_reads_all_again_delivers_nothing_and_forgets_no_quarantine(book, product):
    book.see(product, seen(taken_in=100, rows=90, rejected=10))
    book.see(product, seen(START + SECOND, taken_in=40, rows=40, rejected=0))
    book.see(product, seen(START + 2 * SECOND, taken_in=100, rows=90, rejected=10))
    assert counts(book) == [1]
    assert [each.rejected for each in book.seen("call-center").sights] == [10, 10, 20]
    assert [each.taken_in for each in book.seen("call-center").sights] == [100, 100, 100]


def test_a_product_that_is_away_keeps_its_counts(book, product):
    book.see(product, seen(taken_in=100, rows=90, rejected=10))
    away = Observed(observed_at=START + SECOND, state="absent", is_reached=False)
    book.see(product, Look(observed=away))
    (_, last) = book.seen("call-center").sights
    assert (last.state, last.taken_in, last.rejected) == ("absent", 100, 10)


def test_of_a_quiet_week_a_look_each_ten_minutes_stays_and_of_the_last_hour_each(book, product):
    step = timedelta(minutes=1)
    for number in range(9 * 24 * 60):
        book.see(product, seen(START + number * step))
    sights = book.seen("call-center").sights
    at = sights[-1].at
    assert at - sights[0].at <= timedelta(days=8)
    assert len([each for each in sights if at - each.at <= timedelta(hours=1)]) == 61
    gaps = {b.at - a.at for a, b in itertools.pairwise(sights)}
    assert max(gaps) == MARK
    assert len(sights) < 8 * 24 * 6 + 62


def test_a_short_stop_is_never_thinned_away_nor_made_longer(book, product):
    for number in range(4 * 360):
        state = "absent" if number in (30, 31) else "running"
        book.see(product, seen(START + number * 10 * SECOND, state=state))
    sights = book.seen("call-center").sights
    at = next(each.at for each in sights if each.state == "absent")
    after = next(each.at for each in sights if each.at > at and each.state == "running")
    assert after - at == 20 * SECOND


def test_a_product_that_flaps_for_ever_takes_bounded_memory(book, product):
    for number in range(12_000):
        state = ("absent", "running")[number % 2]
        book.see(product, seen(START + number * 10 * SECOND, state=state))
    assert len(book.seen("call-center").sights) <= 6000
    assert len(book.waiting) <= 20_000


def test_what_is_written_is_one_record_in_ten_minutes_and_each_change(book, product):
    for number in range(6 * 60):
        book.see(product, seen(START + number * 10 * SECOND))
    assert len(book.waiting) == 6


def test_a_batch_delivery_that_is_told_again_counts_once(book, product):
    told = [Delivery(port="calls", at=START, rows=3)]
    for number in range(3):
        look = seen(START + number * SECOND)
        book.see(product, replace(look, deliveries=tuple(told)))
    assert counts(book) == [1]
    told.append(Delivery(port="calls", at=START + 9 * SECOND, rows=4))
    book.see(product, replace(seen(START + 10 * SECOND), deliveries=tuple(told)))
    assert counts(book) == [2]


def test_what_was_written_comes_back_to_the_same_standing(book, product):
    contract = product.outputs[0].contract
    book.see(product, seen(taken_in=3, rows=3, last_arrival_at=START - SECOND))
    book.see(product, seen(START + SECOND, taken_in=7, rows=7, rejected=1))
    trial = Trial(
        port="calls", at=START + SECOND, digest=digest_of(contract), rows=7, broken={"x": 1}
    )
    book.tried("call-center", trial)
    bus = BusInMemory()
    write = writer(bus)
    for each in book.waiting:
        write(*each)

    found = restored(bus)

    now = START + 2 * SECOND
    # Of the first hour each look is there; what came back is what stays of it later.
    assert found.seen("call-center").sights == book.seen("call-center").sights[:1]
    assert found.seen("call-center").tests == book.seen("call-center").tests
    assert found.seen("call-center").deliveries == book.seen("call-center").deliveries
    assert found.standing(product, now).rung == book.standing(product, now).rung == "refreshed"
    # It goes on where it was: what was read before is no news.
    found.see(product, seen(START + 3 * SECOND, taken_in=7, rows=7, rejected=1))
    assert counts(found) == [2]


def test_records_of_others_and_of_nobody_are_passed_over(book):
    bus, log = BusInMemory(), []
    for observation in (
        json.dumps({"kind": "lineage", "sighting": {}}),
        json.dumps({"kind": "sight"}),
        "[]",
        "{",
        json.dumps({"kind": "trial", "port": 1, "at": "never"}),
    ):
        record = {"product": "call-center", "observed_at": START, "observation": observation}
        bus.write(EVIDENCE_TOPIC, "call-center", record)
    assert restored(bus, log.append).seen("call-center").sights == ()
    assert len(log) == 4


def test_a_product_that_left_is_forgotten(book, product):
    book.see(product, seen())
    book.keep_only({"billing"})
    assert book.standing(product, START) is None


def test_a_reader_counts_from_when_it_was_seen_though_the_clock_was_moved_since(book):
    week = timedelta(days=7)
    book.read_by("call-center", "billing", START, timedelta())
    book.read_by("call-center", "billing", START, week)
    assert book.seen("call-center").readers == {"billing": START}
    book.read_by("call-center", "billing", START + SECOND, week)
    assert book.seen("call-center").readers == {"billing": START + SECOND + week}


def test_a_standing_goes_stale_though_nothing_new_is_seen(book, product):
    book.see(product, seen(taken_in=3, rows=3))
    book.see(product, seen(START + SECOND, taken_in=7, rows=7))
    rungs = [book.standing(product, START + later).rung for later in (SECOND, timedelta(hours=37))]
    assert rungs == ["refreshed", "dump"]


def test_a_clock_moves_ahead_alone():
    clock = Clock(is_movable=True)
    before = clock.now()
    clock.move(timedelta(days=1))
    assert clock.is_moved
    assert timedelta(days=1) <= clock.now() - before < timedelta(days=1, minutes=1)
