"""A person's messages are found by the contract's marks, by each row's own time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from mesh.backbone.avro import Encoder
from mesh.contract.project import load_project
from mesh.contract.questions import micros
from mesh.contract.types import arrow_schema, avro_schema
from mesh.contract.whose import FOREVER, Whose
from mesh.product.searching import Search
from tests.life import ROOT

ANNA, BEN, NUMBER, CONTRACT = "P-000001", "P-000002", "+12025550101", "C-000000001"
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE, DURING = BEGIN - timedelta(days=9), BEGIN + timedelta(days=9)
SINCE = ((micros(BEGIN), FOREVER),)
WHOSE = Whose(person=ANNA, spans={NUMBER: SINCE, CONTRACT: SINCE}, format="^P-[0-9]{6,}$")
EARLY_MS, LATE_MS = (micros(each) // 1000 for each in (BEFORE, DURING))
CALL_ID = "123e4567-e89b-12d3-a456-426614174000"
ROLE, CALL = "contracts.role-changes", "call-center.calls"


@pytest.fixture(scope="module")
def contracts():
    return load_project(ROOT).contracts


def value(contract, **fields):
    """A message's value; what is not named is of no matter."""
    plain = {"string": "x", "timestamp": BEFORE, "int64": 1, "boolean": False, "uuid": CALL_ID}
    row = {
        each.name: fields.get(each.name, plain[each.type.kind] if each.is_required else None)
        for each in contract.fields
    }
    table = pa.Table.from_pylist([row], arrow_schema(contract))
    return Encoder(avro_schema(contract)).encode(table, 7)[0]


def looked(contract, *messages):
    """Key and kind of those found among key, value and time, and the keys that stand."""
    schemas = {7: avro_schema(contract)}
    search = Search(WHOSE, contract, schemas.get)
    keys, values, times = zip(*messages, strict=True)
    hits = search.look(keys, values, times)
    assert all(each.key == keys[each.place] for each in hits)
    return [(each.place, each.is_row) for each in hits], search.standing


@pytest.mark.parametrize(
    ("at", "is_theirs"), [(BEFORE, False), (BEGIN, True), (DURING, True)], ids=str
)
def test_of_a_number_that_changed_hands_a_call_is_of_whoever_had_it_then(contracts, at, is_theirs):
    call = value(contracts[CALL], phone_number=NUMBER, started_at=at)

    found, standing = looked(contracts[CALL], (b"1", call, LATE_MS))

    assert (found, standing) == (([(0, True)], [b"1"]) if is_theirs else ([], []))


@pytest.mark.parametrize(
    ("who", "what", "since", "is_theirs"),
    [
        (ANNA, "C-000000009", BEFORE, True),
        (BEN, CONTRACT, DURING, False),
        (BEN, "C-000000009", DURING, False),
        (ANNA, CONTRACT, None, True),
    ],
)
def test_whom_a_row_names_it_is_about(contracts, who, what, since, is_theirs):
    row = value(contracts[ROLE], person_id=who, contract_number=what, valid_from=since)

    assert looked(contracts[ROLE], (b"1", row, 0))[0] == ([(0, True)] if is_theirs else [])


def test_what_is_not_marked_as_personal_is_not_looked_at(contracts):
    call = value(contracts[CALL], reason=f"asked for {NUMBER}", queue=NUMBER, started_at=DURING)

    assert looked(contracts[CALL], (b"1", call, LATE_MS)) == ([], [])


def test_a_tombstone_is_the_persons_where_the_row_before_it_was(contracts):
    mine, other = (
        value(contracts[CALL], phone_number=each, started_at=DURING)
        for each in (NUMBER, "+12025550199")
    )
    found, standing = looked(
        contracts[CALL],
        (b"1", mine, 0), (b"2", other, 0), (b"1", None, 0), (b"2", None, 0),
        (b"1", None, 0), (b"1", other, 0), (b"1", None, 0), (b"3", mine, 0),
    )  # fmt: skip

    assert found == [(0, True), (2, False), (4, False), (7, True)]
    assert standing == [b"3"]


def test_a_tombstone_alone_is_the_persons_where_its_key_is(contracts):
    key = CONTRACT.encode()

    assert looked(contracts[ROLE], (key, None, LATE_MS))[0] == [(0, False)]
    assert looked(contracts[ROLE], (key, None, EARLY_MS))[0] == []
    assert looked(contracts[ROLE], (b"C-000000002", None, LATE_MS))[0] == []


@pytest.mark.parametrize(
    ("text", "is_theirs"),
    [
        (f"junk about {NUMBER}", True),
        (f"\x00\x16{CONTRACT}\xff", True),
        (f"{CONTRACT} of {BEN}", False),
        ("about nobody", False),
        (json.dumps({"phone": NUMBER, "started_at": BEFORE.isoformat()}), False),
        (json.dumps({"phone": NUMBER, "started_at": DURING.isoformat()}), True),
        (json.dumps({"phone": NUMBER, "started_at": "soon"}), True),
        (json.dumps({"phone": NUMBER}), True),
    ],
)
def test_bytes_that_are_no_message_are_searched_as_text(contracts, text, is_theirs):
    found, _ = looked(contracts[CALL], (b"1", text.encode("latin-1"), EARLY_MS))

    assert found == ([(0, True)] if is_theirs else [])


def test_without_a_contract_every_text_counts(contracts):
    call = value(contracts[CALL], reason=NUMBER, started_at=DURING)
    search = Search(WHOSE, None, {7: avro_schema(contracts[CALL])}.get)

    assert [each.is_row for each in search.look([None], [call], [0])] == [True]
