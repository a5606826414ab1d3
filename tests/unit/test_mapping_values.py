"""Text becomes values of the contract's types, or the line is bad."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.mapped import mapping_of, notes_contract, read, read_notes


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("count: {column: x}", "9223372036854775807", 2**63 - 1),
        ("count: {column: x}", " 12 ", 12),
        ("price: {column: x}", "9999.99", Decimal("9999.99")),
        ("share: {column: x}", "-1.5e3", -1500.0),
        ("is_open: {column: x}", "TRUE", True),
        ("is_open: {column: x, map: {J: 'true', N: 'false'}}", "N", False),
        ("day: {column: x}", "2026-02-28", datetime(2026, 2, 28).date()),
        ("day: {column: x, format: '%d.%m.%Y'}", "28.02.2026", datetime(2026, 2, 28).date()),
        ("ref: {column: x}", "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("code: {column: x, pad: 4, prefix: '+'}", "7", "+0007"),
        ("code: {column: x, pad: 4}", "12345", "12345"),
        ("code: {column: x, map: {1: one}}", "1", "one"),
        ("code: {column: x}", " kept ", " kept "),
        ("code: {column: x}", "", None),
        ("code: {column: x, empty_is_null: false}", "", ""),
        ("count: {column: x}", "", None),
        ("code: {value: 'it''s'}", "", "it's"),
        ("count: {value: 7}", "", 7),
    ],
)  # fmt: skip
def test_text_becomes_a_value_of_the_field_s_type(tmp_path, field, text, value):
    rows, bad = read_notes(tmp_path, f"x,y\n{text},y\n", f"{{{field}}}")

    assert bad == []
    assert rows[0][field.split(":")[0]] == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("count: {column: x}", "12.7"),
        ("count: {column: x}", "1_000"),
        ("count: {column: x}", "9223372036854775808"),
        ("small: {column: x}", "2147483648"),
        ("price: {column: x}", "1.239"),
        ("price: {column: x}", "10000.00"),
        ("share: {column: x}", "nan"),
        ("share: {column: x}", "1e999"),
        ("is_open: {column: x}", "yes"),
        ("day: {column: x}", "2026-02-29"),
        ("ref: {column: x}", "no-uuid"),
        ("at: {column: x}", "yesterday"),
        ("at: {column: x, timezone: Europe/Amsterdam}", "2026-03-29 02:30:00"),
        ("code: {column: x, map: {1: one}}", "2"),
        ("count: {column: x, empty_is_null: false}", ""),
    ],
)
def test_text_that_is_no_such_value_is_neither_rounded_nor_guessed(tmp_path, field, text):
    rows, bad = read_notes(tmp_path, f"x,y\n{text},y\n", f"{{{field}}}")

    assert rows == []
    assert bad[0].raw == f"{text},y"
    assert bad[0].reason.startswith(f"{field.split(':')[0]}: `x` is not ")


@pytest.mark.parametrize(
    ("how", "text", "hour", "minute"),
    [
        ("", "2026-07-01T12:30:00+02:00", 10, 30),
        ("", "2026-07-01 12:30", 12, 30),
        (", timezone: Europe/Amsterdam", "2026-07-01 12:30:00", 10, 30),
        (", format: '%d/%m/%Y %I:%M %p'", "01/07/2026 3:04 PM", 15, 4),
        (", format: ['%Y%m%d', '%Y%m%d%H%M']", "202607010607", 6, 7),
        (", format: '%Y-%m-%dT%H:%M:%S%z'", "2026-07-01T12:30:00-0100", 13, 30),
        (", plus_seconds: y", "2026-07-01 12:30:00", 12, 32),
    ],
)
def test_times_become_instants_in_utc(tmp_path, how, text, hour, minute):
    rows, bad = read_notes(tmp_path, f"x,y\n{text},120\n", f"{{at: {{column: x{how}}}}}")

    assert bad == []
    assert rows[0]["at"] == datetime(2026, 7, 1, hour, minute, tzinfo=UTC)


def test_a_required_field_that_is_empty_is_a_bad_line(tmp_path):
    contract = notes_contract(note=True)
    mapping = mapping_of(tmp_path, "fields: {note: {column: x}}\n", contract)
    (tmp_path / "notes.csv").write_text("x,y\n,1\n", encoding="utf-8")
    _, bad = read(tmp_path / "notes.csv", mapping, contract)

    assert bad[0].reason == "note: `x` is empty, and the contract requires it"
