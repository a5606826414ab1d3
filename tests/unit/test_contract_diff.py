"""Tests for `mesh.contract.diff`: which changes of a contract break its readers."""

from pathlib import Path

import pytest

from mesh.contract.diff import diff, needs_new_major
from mesh.contract.odcs import check_contract
from mesh.contract.yamlfile import parse_yaml

TEXT = Path("products/call_center/contracts/calls.odcs.yaml").read_text()
OPTIONAL = "      - name: note\n        logicalType: string\n"
REQUIRED = OPTIONAL + "        required: true\n"


def contract(*changes):
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    checked = check_contract(parse_yaml(text.encode(), Path("x.odcs.yaml")))
    assert not checked.faults
    return checked.contract


def test_a_contract_does_not_differ_from_itself():
    assert diff(contract(), contract()) == []


QUALITY = "    quality:\n"
SITE = "      - name: site\n        logicalType: string\n"
ENUM = "          - value: sales\n"
BREAKING = [
    ((QUALITY, REQUIRED + QUALITY), "note", "required field is added"),
    (("duration_s", "length_s"), "duration_s", "required field is removed"),
    (("logicalType: integer", "logicalType: number"), "duration_s", "int64 becomes float64"),
    ((SITE, SITE + "        required: true\n"), "site", "becomes required"),
    ((ENUM, ""), "queue", "no longer allows sales"),
    (("minimum: 0", "minimum: 1"), "duration_s", "tighter"),
    (("minimum: 0", "minimum: 0\n          maximum: 9"), "duration_s", "is added"),
    (("[1-9][0-9]{6,14}", "[1-9][0-9]{6,12}"), "phone_number", "changes"),
    (("ended_at >= started_at", "ended_at > started_at"), None, "changes"),
    (("value: phone-number", "value: contract-number"), "phone_number", "identifier"),
    (("value: 4", "value: 8"), None, "partitions 4 becomes 8"),
    (("value: P30D", "value: P7D"), None, "shorter"),
]
SAFE = [
    ((QUALITY, OPTIONAL + QUALITY), "note", "optional field is added"),
    ((SITE, OPTIONAL), "site", "optional field is removed"),
    ((ENUM, ENUM + "          - value: other\n"), "queue", "allows more"),
    (("          minimum: 0", "          minimum: -1"), "duration_s", "wider"),
    (("          minimum: 0", "          format: i64"), "duration_s", "is removed"),
    (("value: P30D", "value: forever"), None, "longer"),
    (("value: ask", "value: auto"), None, "access"),
    (("The id of the call.", "Its id."), "call_id", "description"),
    ((SITE, SITE + "        customProperties:\n          - {property: personal, value: true}\n"),
     "site", "personal now"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "field", "words"), BREAKING)
def test_a_narrower_promise_breaks_readers(change, field, words):
    old, new = contract(), contract(change)

    assert any(
        one.is_breaking and one.field == field and words in one.what for one in diff(old, new)
    )
    assert needs_new_major(old, new)


@pytest.mark.parametrize(("change", "field", "words"), SAFE)
def test_what_both_old_and_new_readers_can_read_is_safe(change, field, words):
    old, new = contract(), contract(change)

    changes = diff(old, new)

    assert any(one.field == field and words in one.what for one in changes)
    assert not any(one.is_breaking for one in changes)
    assert not needs_new_major(old, new)


def test_a_new_key_breaks_readers():
    new = contract(
        ("        primaryKey: true\n", ""),
        ("      - name: phone_number\n", "      - name: phone_number\n        primaryKey: true\n"),
    )

    (change,) = diff(contract(), new)

    assert str(change).startswith("breaks  primary key call_id becomes phone_number (")


def test_a_new_major_version_may_break():
    new = contract(("version: 1.0.0", "version: 2.0.0"), ("calls.v1", "calls.v2"))

    assert any(one.is_breaking for one in diff(contract(), new))
    assert not needs_new_major(contract(), new)
