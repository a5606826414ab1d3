"""What a mapping may say."""

from __future__ import annotations

import pytest

from mesh.contract.model import Contract
from tests.mapped import faults_of, notes_contract


@pytest.fixture
def notes() -> Contract:
    return notes_contract()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("fields: {cod: {column: x}}", "1: sample.notes has no field cod (write code)"),
        ("fields: {code: {colunm: x}}", "1: colunm is not known here (write column)"),
        ("file: {delimeter: ';'}\nfields: {}", "1: delimeter is not known here (write delimiter)"),
        ("feilds: {}", "1: feilds is not known here (write fields)"),
        ("file: {delimiter: ab}\nfields: {}", "1: delimiter: string should have at most 1 char"),
        ("file: {encoding: utf8000}\nfields: {}", "1: there is no text encoding utf8000 (write"),
        ("file: {encoding: hex}\nfields: {}", "1: there is no text encoding hex (write"),
        ("fields:\n  code: {}", "2: code: it comes from either a column or a value"),
        ("fields: {code: {column: x, value: y}}", "1: code: it comes from either a column or a"),
        ("fields: {count: {value: many}}", "1: count: "),
        ("fields: {count: {column: x, prefix: a}}", "1: count: prefix and pad are for text"),
        ("fields: {code: {column: x, timezone: UTC}}", "1: code: timezone and plus_seconds are"),
        ("fields: {at: {column: x, format: '%Q'}}", "1: at: %Q is not a time format (use strp"),
        ("fields: {at: {column: x, timezone: Mars}}", "1: at: there is no time zone Mars (write"),
        ("fields: {tags: {column: x}}", "1: tags: a column cannot fill a list or an object"),
        ("fields: [a]", "1: fields: "),
    ],
)
def test_a_fault_in_a_mapping_is_named_with_line_and_remedy(tmp_path, notes, text, fault):
    assert any(one.startswith(fault) for one in faults_of(tmp_path, text, notes))


def test_a_required_field_must_be_mapped_unless_it_is_the_key(tmp_path):
    found = faults_of(
        tmp_path, "fields:\n  code: {column: x}\n", notes_contract(note=True, id=True)
    )

    assert found == [
        "1: note, which sample.notes requires, is not mapped (add `note: {column: …}`)"
    ]


def test_every_fault_is_named_at_once(tmp_path, notes):
    found = faults_of(tmp_path, "fields:\n  a: {column: x}\n  at: {column: x, pad: 2}\n", notes)

    assert [one.split(":")[0] for one in found] == ["2", "3"]
