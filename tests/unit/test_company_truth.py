"""The right answers, against a plain search through the tables of CRM and billing."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company import billing, crm
from company.calls import calls
from company.crm import instants
from company.truth import homes, of_contracts, of_numbers, pairs, residents_at
from company.world import World, build

ROLES = ("holder", "user", "payer", "administrator")


@pytest.fixture(scope="module")
def world() -> World:
    return build(1)


@pytest.fixture(scope="module")
def roles(world) -> pa.Table:
    return crm.roles(world)


@pytest.fixture(scope="module")
def answers(world) -> pa.Table:
    asked = pairs(world, np.arange(20_000))
    return of_numbers(world, asked["phone_number"], asked["at"])


def at_the_time(rows, at):
    """The rows of an interval table that hold at an instant."""
    return [
        row
        for row in rows
        if row["valid_from"] <= at and (row["valid_to"] is None or at < row["valid_to"])
    ]


def by(table: pa.Table, name: str) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in table.to_pylist():
        found[row[name]].append(row)
    return found


def test_at_least_95_of_100_pairs_are_resolvable_and_some_are_not(answers):
    share = pc.mean(pc.cast(answers["is_resolvable"], pa.float64())).as_py()

    assert 0.95 <= share < 0.99


def test_an_answer_is_what_a_plain_search_finds(world, roles, answers):
    numbers = by(crm.numbers(world), "phone_number")
    asked = answers.slice(0, 2_000)
    is_asked = pc.is_in(roles["contract_number"], asked["contract_number"].combine_chunks())
    persons_of = by(roles.filter(is_asked), "contract_number")
    payer_of = dict(zip(*(c.to_pylist() for c in billing.accounts(world).columns), strict=True))

    for row in asked.to_pylist():
        holding = at_the_time(numbers[row["phone_number"]], row["at"])
        assert [each["contract_number"] for each in holding] == [
            each for each in [row["contract_number"]] if each
        ]
        assert row["is_resolvable"] == bool(holding)
        persons = at_the_time(persons_of[row["contract_number"]], row["at"]) if holding else []
        found = {each["role"]: each["person_id"] for each in persons}
        assert {role: row[f"{role}_id"] for role in ROLES} == {
            role: found.get(role) for role in ROLES
        }
        assert payer_of.get(row["billing_account_number"]) == row["payer_id"]


def test_every_call_to_the_call_centre_is_resolvable(world):
    made = calls(world, np.arange(0, 10_000_000, 1_000))
    numbers = pa.array(world.phone_numbers).take(pa.array(world.tenures.number[made.tenure]))

    assert pc.all(of_numbers(world, numbers, instants(made.started))["is_resolvable"]).as_py()


def test_a_contract_has_the_same_answers_as_its_number(world, answers):
    known = answers.filter(answers["is_resolvable"])
    found = of_contracts(world, known["contract_number"], known["at"])

    names = [name for name in found.column_names if name.endswith("_id")]
    assert found.select(names).to_pylist() == known.select(names).to_pylist()
    assert pc.all(found["is_resolvable"]).as_py()


def test_a_contract_has_no_answer_before_it_begins_and_none_once_it_has_ended(world):
    rows = crm.contracts(world).slice(0, 20_000)
    rows = rows.filter(pc.is_valid(rows["closed_at"]))
    before = pa.array(pc.cast(rows["opened_at"], pa.int64()).to_numpy() - 1)
    for at in (before.cast(rows["opened_at"].type), rows["closed_at"]):
        found = of_contracts(world, rows["contract_number"], at)
        assert not pc.any(found["is_resolvable"]).as_py()
        assert found["holder_id"].null_count == found.num_rows


def test_a_number_that_is_none_of_ours_has_no_answer(world, answers):
    at = answers["at"].slice(0, 1)
    found = of_numbers(world, pa.array(["+12025559999"]), at).to_pylist()

    assert found[0]["is_resolvable"] is False
    assert found[0]["contract_number"] is None


def test_residents_are_whom_a_plain_search_finds(world, roles):
    asked = homes(world, np.arange(2_000))
    is_asked = pc.is_in(roles["contract_number"], asked["contract_number"].combine_chunks())
    persons_of = by(roles.filter(is_asked), "contract_number")
    found = residents_at(world, asked["contract_number"], asked["at"])

    for row in found.to_pylist():
        persons = at_the_time(persons_of[row["contract_number"]], row["at"])
        residents = sorted(each["person_id"] for each in persons if each["role"] == "resident")
        assert row["resident_ids"] == residents
        assert row["is_resolvable"] == bool(residents)
    assert 0.95 <= pc.mean(pc.cast(found["is_resolvable"], pa.float64())).as_py() < 0.99
    assert max(pc.list_value_length(found["resident_ids"]).to_pylist()) > 3


def test_nobody_resides_where_a_mobile_phone_is(world):
    rows = crm.contracts(world)
    mobile = rows.filter(pc.equal(rows["kind"], "mobile")).slice(0, 100)
    found = residents_at(world, mobile["contract_number"], mobile["opened_at"])

    assert not pc.any(found["is_resolvable"]).as_py()
    assert pc.sum(pc.list_value_length(found["resident_ids"])).as_py() == 0
