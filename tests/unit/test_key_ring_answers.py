"""Chains over relations, questions in words, and answers in JSON."""

from __future__ import annotations

import pytest

from mesh.contract.identifiers import load_identifiers
from mesh.contract.questions import instant_in
from mesh.errors import WrongUse
from products.key_ring.question import document_of, read_question
from products.key_ring.resolve import resolve
from products.key_ring.ring import Ring
from tests.links import CHAINS, link, ring
from tests.repository import ROOT

IDENTIFIERS = load_identifiers(ROOT / "company" / "identifiers.yaml")


def names(start: str, end: str, role: str | None = None) -> list[tuple[str, bool]]:
    return [(each.relation.name, each.forward) for each in CHAINS.find(start, end, role)]


def test_a_chain_takes_several_relations_and_the_one_of_the_role():
    assert names("phone-number", "contract-number") == [("phone-number-contract", True)]
    assert names("contract-number", "phone-number") == [("phone-number-contract", False)]
    assert names("phone-number", "person-id", "payer") == [
        ("phone-number-contract", True),
        ("contract-billing-account", True),
        ("billing-account-payer", True),
    ]
    assert names("person-id", "contract-number", "holder") == [("contract-holder", False)]


def test_whoever_asks_for_a_household_is_given_it_where_nobody_states_its_members():
    assert names("phone-number", "person-id", "household")[-1] == ("contract-household", True)


@pytest.mark.parametrize(
    ("start", "end", "role", "problem"),
    [
        ("phone-number", "person-id", None, "say --role, in which role"),
        ("person-id", "contract-number", None, "say --role, in which role"),
        ("phone-number", "person-id", "owner", "no relation states a `owner`"),
        ("phone-number", "sim-id", None, "no chain of relations leads from phone-number to sim-id"),
        ("phone-number", "phone-number", None, "no chain"),
    ],
)
def test_a_question_that_says_too_little_is_refused(start, end, role, problem):
    with pytest.raises(WrongUse, match=problem):
        CHAINS.find(start, end, role)


def ask(**words: str):
    return read_question(
        {name.rstrip("_"): text for name, text in words.items()}, IDENTIFIERS, CHAINS
    )


def test_a_number_is_read_as_people_write_it():
    question = ask(from_="phone:+1 (202) 555-0123", to="billing-account", at="2026-03-01")

    assert (question.start, question.end_type) == ("+12025550123", "billing-account-number")
    assert question.at == instant_in("2026-03-01T01:00:00+01:00") == 1772323200000000


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"from_": "phone:+12025550123", "to": "customer"}, "no customer: .*holder .*payer"),
        ({"from_": "Customer:7", "to": "contract"}, "there is no customer"),
        ({"from_": "phone:12", "to": "contract"}, "is no phone-number"),
        ({"from_": "phone:+1", "to": "contract"}, "is no phone-number"),
        ({"from_": "contract:7", "to": "phone"}, "is no contract-number"),
        ({"from_": "+12025550123", "to": "contract"}, "say from what"),
        ({"from_": "phone:+12025550123", "to": "shoe"}, "`shoe` is no type of identifier"),
        ({"from_": "phone:+12025550123", "to": ""}, "nothing is no type of identifier"),
        ({"from_": ":+12025550123", "to": "contract"}, "nothing is no type of identifier"),
        ({"from_": "phone:", "to": "contract"}, "is no phone-number"),
        ({"from_": "phone:+12025550123", "to": "contract", "at": "noon"}, "is no instant"),
        ({"from_": "phone:+12025550123", "to": "contract", "at": ""}, "nothing is no instant"),
        ({"from_": "phone:+12025550123", "to": "contract", "who": "me"}, "has no who"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_meant_is_refused(words, problem):
    with pytest.raises(WrongUse, match=problem):
        ask(**words)


def answer_to(made: Ring, at: str = "2026-03-01", role: str = "payer"):
    question = ask(from_="phone:+12025550123", to="person", role=role, at=at)
    chain = CHAINS.find(question.start_type, question.end_type, question.role)
    found = resolve(made, chain, question.start, question.at, question.known_at)
    return document_of(question, found)


PATH = (
    link("phone-number-contract", "+12025550123", "C-1", end=instant_in("2026-02-01")),
    link("phone-number-contract", "+12025550123", "C-2", start=instant_in("2026-02-01")),
    link("contract-billing-account", "C-2", "B-1"),
    link("billing-account-payer", "B-1", "P-1"),
)


def test_an_answer_has_the_path_and_who_says_each_link():
    document = answer_to(ring(*PATH))

    assert (document["state"], document["answer"]) == ("known", "P-1")
    assert [(hop["from"], hop["to"]) for hop in document["path"]] == [
        ("+12025550123", "C-2"), ("C-2", "B-1"), ("B-1", "P-1"),
    ]  # fmt: skip
    first = document["path"][0]
    assert (first["authority"], first["topic"], first["partition"], first["offset"]) == (
        "contracts", "pub.x", 0, 7,
    )  # fmt: skip
    assert (first["valid_from"], first["valid_to"]) == ("2026-02-01T00:00:00Z", None)


def test_what_is_not_known_says_how_far_it_came():
    document = answer_to(ring(*PATH), at="2026-01-01")

    assert (document["state"], document["answer"], document["candidates"]) == (
        "not known",
        None,
        [],
    )
    assert document["reached"] == {"type": "contract-number", "ids": ["C-1"]}
    assert [hop["to"] for hop in document["path"]] == ["C-1"]


def test_an_ambiguous_answer_lists_the_candidates_and_picks_none():
    residents = [link("contract-resident", "C-2", each) for each in ("P-2", "P-1")]
    document = answer_to(ring(*PATH, *residents), role="resident")

    assert (document["state"], document["answer"]) == ("ambiguous", None)
    assert document["candidates"] == ["P-1", "P-2"]


def test_a_way_that_does_not_end_there_is_no_part_of_the_path():
    made = ring(
        link("contract-holder", "C-1", "P-1"),
        link("contract-holder", "C-2", "P-1"),
        link("phone-number-contract", "+1", "C-2"),
    )
    found = resolve(made, CHAINS.find("person-id", "phone-number", "holder"), "P-1", 5)

    assert found.answer == "+1"
    assert [hop.statement.from_id for hop in found.path] == ["C-2", "+1"]
