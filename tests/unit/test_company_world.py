"""The world is the same for a seed, and its truth does not contradict itself."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from company import billing, crm
from company.clock import BEGIN, DAY, END, FOREVER, instant, micros
from company.identifiers import phone_numbers
from company.lines import HOW_ENDED, HOW_STARTED, NO_NUMBER
from company.people import NOBODY
from company.world import World, build


@pytest.fixture(scope="module")
def world() -> World:
    return build(1)


@pytest.fixture(scope="module")
def held(world) -> dict[int, list[int]]:
    """The tenures of each phone number, in time order."""
    tenures = world.tenures
    by_number: dict[int, list[int]] = defaultdict(list)
    for at in np.argsort(tenures.start, kind="stable").tolist():
        if tenures.number[at] != NO_NUMBER:
            by_number[int(tenures.number[at])].append(at)
    return by_number


def pairs(held):
    """Each tenure with the next one of the same number."""
    return [pair for tenures in held.values() for pair in pairwise(tenures)]


def test_the_world_of_a_seed_stays_what_it_was(world):
    numbers = crm.numbers(world)
    rows = numbers.slice(0, 1).to_pylist() + numbers.slice(100_000, 1).to_pylist()

    assert [tuple(map(str, row.values())) for row in rows] == [
        (
            "+16635550178",
            "C-000000000",
            "2023-08-24 19:09:00+00:00",
            "2026-02-17 19:00:00+00:00",
            "new",
            "moved",
        ),
        (
            "+19045550157",
            "C-000754879",
            "2028-02-13 04:41:00+00:00",
            "2028-08-23 05:57:00+00:00",
            "ported_in",
            "closed",
        ),
    ]
    assert crm.persons(world).slice(100, 1).to_pylist() == [
        {
            "person_id": "P-000100",
            "household_id": "H-00031",
            "given_name": "Kasas",
            "family_name": "Isterifeld",
            "email": "kasas.isterifeld.100@mail.example",
            "street": "Birchrow Road 20",
            "city": "Sudliburgh",
        }
    ]
    assert billing.invoices(world, 4)["amount_cents"].to_pylist()[:3] == [5203, 2462, 2174]


def test_another_seed_is_another_world(world):
    assert build(2).phone_numbers[:3] != world.phone_numbers[:3]


def test_every_number_is_one_of_those_kept_for_fiction():
    numbers = phone_numbers(1, 71_200)

    assert len(set(numbers)) == 71_200
    assert all(one[:2] == "+1" and one[5:10] == "55501" and len(one) == 12 for one in numbers)
    assert all(one[2] in "23456789" and one[3] != "9" and one[3:5] != "11" for one in numbers)


def test_no_number_has_two_holders_at_once(world, held):
    tenures = world.tenures

    assert all(tenures.end[one] <= tenures.start[other] for one, other in pairs(held))


def test_a_number_rests_before_another_contract_has_it_unless_it_moves_at_once(world, held):
    tenures, moved = world.tenures, HOW_STARTED.index("moved")
    rests: dict[bool, set[int]] = {True: set(), False: set()}
    for one, other in pairs(held):
        is_moved = bool(tenures.how_started[other] == moved)
        rests[is_moved].add(int(tenures.start[other] - tenures.end[one]))

    assert rests[True] == {0}
    assert min(rests[False]) >= 100 * DAY


def test_a_contract_that_swaps_has_another_number_at_once(world):
    tenures = world.tenures
    swapped = np.flatnonzero(tenures.how_started == HOW_STARTED.index("swapped"))

    assert len(swapped) > 1_000
    assert (tenures.contract[swapped] == tenures.contract[swapped - 1]).all()
    assert (tenures.number[swapped] != tenures.number[swapped - 1]).all()
    assert (tenures.start[swapped] == tenures.end[swapped - 1]).all()


def test_a_number_is_ported_in_only_when_it_is_not_ours(world, held):
    tenures = world.tenures
    come, gone = HOW_STARTED.index("ported_in"), HOW_ENDED.index("ported_out")
    ported = [(one, other) for one, other in pairs(held) if tenures.how_started[other] == come]

    assert len(ported) > 1_000
    assert all(tenures.how_ended[one] == gone for one, _ in ported)


def test_every_way_to_change_a_number_happens_within_ten_days(world):
    tenures = world.tenures
    is_soon = (tenures.end >= BEGIN) & (tenures.end < BEGIN + 10 * DAY)

    assert set(tenures.how_ended[is_soon].tolist()) == {0, 1, 2, 3}


def test_every_line_is_under_contract_when_the_world_begins(world):
    tenures = world.tenures
    running = (tenures.start <= BEGIN) & (tenures.end > BEGIN)

    assert running.sum() == tenures.line.max() + 1


def test_what_has_not_ended_when_the_world_ends_is_open(world):
    ends = world.tenures.end

    assert ((ends < END) == (ends != FOREVER)).all()


def test_the_tenure_of_a_line_at_an_instant_is_the_one_that_covers_it(world):
    tenures = world.tenures
    lines = np.arange(0, 4_000, 37, dtype=np.int64)
    at = BEGIN + (lines * 123_457 % 9_000) * DAY

    expected = []
    for line, instant_ in zip(lines.tolist(), at.tolist(), strict=True):
        covers = (tenures.line == line) & (tenures.start <= instant_) & (instant_ < tenures.end)
        expected.append(int(np.flatnonzero(covers)[0]) if covers.any() else -1)
    assert tenures.at(lines, at).tolist() == expected
    assert -1 in expected


def test_a_contract_runs_over_all_its_tenures(world):
    tenures, contracts = world.tenures, world.contracts

    assert (contracts.opened[tenures.contract] <= tenures.start).all()
    assert (contracts.closed[tenures.contract] >= tenures.end).all()
    assert len(np.unique(tenures.contract)) == len(contracts.opened)


def test_whoever_uses_a_number_goes_on_when_the_contract_is_taken_over(world):
    tenures, contracts = world.tenures, world.contracts
    moved = np.flatnonzero(tenures.how_started == HOW_STARTED.index("moved"))
    before, after = tenures.contract[moved - 1], tenures.contract[moved]

    assert (before != after).all()
    assert (contracts.user[before] == contracts.user[after]).all()


def test_only_adults_hold_and_pay(world):
    people, contracts = world.people, world.contracts

    assert people.is_adult(contracts.holder).all()
    assert people.is_adult(contracts.payer).all()
    assert people.is_adult(contracts.later_payer).all()


def test_there_are_payers_who_are_not_users_and_users_who_are_children(world):
    people, contracts = world.people, world.contracts
    mobile = contracts.is_mobile

    assert 0.2 < (contracts.payer != contracts.user)[mobile].mean() < 0.8
    assert 0.1 < (~people.is_adult(contracts.user[mobile])).mean() < 0.7


def test_there_are_children_who_administer_a_parent_s_contract(world):
    people, contracts = world.people, world.contracts
    is_child = people.parent[contracts.administrator] == contracts.holder
    lives_apart = people.household[contracts.administrator] != people.household[contracts.holder]

    assert is_child.mean() > 0.05
    assert (is_child & lives_apart).mean() > 0.02


def test_a_parent_and_a_child_know_each_other(world):
    people = world.people
    parents = np.flatnonzero(people.child != NOBODY)

    assert (people.parent[people.child[parents]] == parents).all()


def test_a_payer_changes_while_the_contract_runs(world):
    contracts = world.contracts
    changes = contracts.payer_changed < FOREVER
    at = contracts.payer_changed[changes]

    assert changes.mean() > 0.05
    assert (contracts.opened[changes] < at).all()
    assert (at < contracts.closed[changes]).all()
    assert (contracts.payer != contracts.later_payer)[changes].all()


def test_an_instant_is_exact_both_ways():
    at = instant(BEGIN + 123_456_789)

    assert str(at) == "2026-01-01 00:02:03.456789+00:00"
    assert micros(at) == BEGIN + 123_456_789
