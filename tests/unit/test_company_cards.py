"""Cards of persons hang on the records that the mesh gets, and are written by clerks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from company import crm
from company.billing_system import Billing
from company.cards import Cards
from company.clock import BEGIN, DAY
from company.crm_system import Crm
from company.world import build

SEED = 5
UNTIL = BEGIN + 3 * DAY
TEXT = ("given_name", "family_name", "birth_date", "street", "city", "phone_number")


@pytest.fixture(scope="module")
def cards() -> pa.Table:
    return Cards().held(SEED, UNTIL)


@pytest.fixture(scope="module")
def persons() -> list[str]:
    return Cards().persons(SEED, UNTIL)


def written(system, port: str) -> list[dict[str, object]]:
    batches = system.batches(SEED, system.count_until(SEED, UNTIL))
    return [row for batch in batches if port in batch for row in batch[port].to_pylist()]


def test_a_card_is_written_with_each_record_of_a_role_and_is_of_the_person_it_names(cards, persons):
    rows = zip(cards.to_pylist(), persons, strict=True)
    held = {
        (each["card_id"].partition("/")[2], each["revision"], each["is_retracted"], person)
        for each, person in rows
        if each["role"] != "applicant"
    }
    roles = [each for each in written(Crm(), "role-changes") if each["role"] in ("holder", "user")]
    payers = written(Billing(), "payer-changes")
    told = {
        (each["link_id"], each["revision"], each["retracted"], each.get("person_id"))
        for each in roles
    } | {
        (each["link_id"], each["revision"], each["retracted"], each["payer_id"]) for each in payers
    }

    assert held == told


def test_no_card_says_whose_it_is(cards, persons):
    said = {each for name in TEXT for each in cards[name].to_pylist()}

    assert not said & set(persons)


def test_most_of_what_clerks_write_is_right_and_not_all(cards, persons):
    rows = crm.persons(build(SEED)).to_pylist()
    known = {each["person_id"]: each for each in rows}
    for name, least, most in (("given_name", 0.7, 0.95), ("family_name", 0.7, 0.95)):
        said = zip(cards[name].to_pylist(), persons, strict=True)
        right = sum(word == known[person][name] for word, person in said) / len(persons)
        assert least < right < most
    missing = cards["birth_date"].null_count / cards.num_rows
    assert 0.02 < missing < 0.2


def test_the_same_person_has_the_same_day_of_birth_on_most_cards(cards, persons):
    births: dict[str, list[str]] = {}
    for birth, person in zip(cards["birth_date"].to_pylist(), persons, strict=True):
        if birth is not None:
            births.setdefault(person, []).append(birth)
    several = [each for each in births.values() if len(each) > 2]
    agree = sum(len(set(each)) == 1 for each in several) / len(several)

    assert 0.7 < agree < 0.99
