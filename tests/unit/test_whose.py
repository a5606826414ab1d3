"""Whose an identifier is: links lead to one person, in a role, for some time."""

from __future__ import annotations

import pytest

from mesh.contract.whose import ALWAYS, FOREVER, Link, Whose, persons_of, whose_of

PERSONS = "^P-[0-9]{6,}$"
ANNA, BEN, CARL = "P-000001", "P-000002", "P-000003"
NUMBER, OTHER = "+12025550101", "+12025550102"
ONE, TWO, ACCOUNT = "C-000000001", "C-000000002", "B-000000001"
PHONE, CONTRACT, BILL, PERSON = (
    "phone-number",
    "contract-number",
    "billing-account-number",
    "person-id",
)


def link(role, start, end, begin=ALWAYS, until=FOREVER, cardinality="many-to-one"):
    return Link(role=role, start=start, end=end, span=(begin, until), cardinality=cardinality)


# The number is Anna's from 10 to 20 and Ben's from 30 on; Carl pays for both contracts.
LINKS = [
    link("contract", (PHONE, NUMBER), (CONTRACT, ONE), 10, 20),
    link("contract", (PHONE, NUMBER), (CONTRACT, TWO), 30),
    link("contract", (PHONE, OTHER), (CONTRACT, ONE), 25),
    link("holder", (CONTRACT, ONE), (PERSON, ANNA), 5, 40),
    link("holder", (CONTRACT, TWO), (PERSON, BEN)),
    link("user", (CONTRACT, ONE), (PERSON, BEN), 15, 18),
    link("account", (CONTRACT, ONE), (BILL, ACCOUNT)),
    link("account", (CONTRACT, TWO), (BILL, ACCOUNT)),
    link("payer", (BILL, ACCOUNT), (PERSON, CARL)),
]


@pytest.mark.parametrize(
    ("start", "role", "at", "found"),
    [
        ((PHONE, NUMBER), "holder", 10, {ANNA}),
        ((PHONE, NUMBER), "holder", 19, {ANNA}),
        ((PHONE, NUMBER), "holder", 20, set()),
        ((PHONE, NUMBER), "holder", 30, {BEN}),
        ((PHONE, NUMBER), "user", 16, {BEN}),
        ((PHONE, NUMBER), "user", 14, set()),
        ((PHONE, NUMBER), "payer", 16, {CARL}),
        ((PERSON, CARL), "payer", 0, {CARL}),
        ((PHONE, "+12025550199"), "holder", 16, set()),
    ],
)
def test_an_identifier_leads_to_whoever_had_it_then_in_that_role(start, role, at, found):
    assert persons_of(LINKS, start, {role}, at) == found


def test_whoever_shares_an_identifier_with_others_is_not_picked():
    shared = [
        link("resident", (CONTRACT, ONE), (PERSON, each), cardinality="many-to-many")
        for each in (ANNA, BEN)
    ]

    assert persons_of(shared, (CONTRACT, ONE), {"resident"}, 0) == {ANNA, BEN}
    assert whose_of(shared, ANNA, {"resident"}, PERSONS).spans == {}


def test_what_leads_to_a_person_does_so_for_as_long_as_every_link_of_the_chain_holds():
    found = whose_of(LINKS, ANNA, {"holder"}, PERSONS)

    assert found.spans == {ONE: ((5, 40),), NUMBER: ((10, 20),), OTHER: ((25, 40),)}
    assert found.values == {ANNA, ONE, NUMBER, OTHER}


def test_who_pays_for_a_number_does_not_own_it():
    assert whose_of(LINKS, CARL, {"payer"}, PERSONS).spans == {ACCOUNT: ((ALWAYS, FOREVER),)}


def test_several_roles_are_one_person():
    found = whose_of(LINKS, BEN, {"holder", "user"}, PERSONS).spans

    assert found == {
        ONE: ((15, 18),), TWO: ((ALWAYS, FOREVER),), NUMBER: ((15, 18), (30, FOREVER)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "at", "is_theirs"),
    [
        ([NUMBER], 10, True),
        ([NUMBER], 20, False),
        ([NUMBER, TWO], 15, True),
        ([NUMBER], None, True),
        ([NUMBER, BEN], 15, False),
        ([NUMBER, BEN], None, False),
        ([ANNA], 99, True),
        ([ANNA, BEN], 99, True),
        ([TWO], 15, False),
        ([], None, False),
    ],
)
def test_a_row_is_a_persons_by_its_own_time_and_where_it_names_nobody_else(texts, at, is_theirs):
    whose = whose_of(LINKS, ANNA, {"holder"}, PERSONS)

    assert whose.has(texts, at) is is_theirs
    assert Whose.of(whose.document()) == whose


def test_bytes_are_searched_as_text_and_other_persons_found_beside():
    whose = whose_of(LINKS, ANNA, {"holder"}, PERSONS)

    assert whose.found_in(b'{"phone": "+12025550101"') == [NUMBER]
    assert whose.found_in(f"\x00\xff{ONE}, {BEN}".encode("latin-1")) == [ONE, BEN]
    assert whose.found_in(BEN.encode()) == []
    assert whose.found_in(f"{ONE}-0") == [ONE]
    assert whose.found_in(f"{ONE}0") == []


@pytest.mark.parametrize("document", [{}, {"person": "x", "spans": 1, "format": ""}])
def test_what_says_nobody_is_refused(document):
    with pytest.raises(ValueError, match="nobody"):
        Whose.of(document)
