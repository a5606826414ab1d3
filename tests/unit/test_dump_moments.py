"""What is no day and no instant is set aside, and no part of one is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tests.dumps import dumped, rejected_of, rows_of, types_of

DAYS = [f"2026-01-{day:02}" for day in range(1, 29)]
DAY = "at must be a date of the years 0001 to 9999"
INSTANT = "2026-01-01T10:00:00"


def column(values):
    """A file with a key and one column."""
    return "id,at\n" + "".join(f"{number},{each}\n" for number, each in enumerate(values))


@pytest.mark.parametrize(
    "value",
    [
        "infinity",
        "-infinity",
        "Infinity",
        "epoch",
        f"{INSTANT}+25:00",
        f"{INSTANT}+14:30",
        f"{INSTANT}+10:75",
        f"{INSTANT}.123456789Z",
        f"{INSTANT}.123456789",
    ],
)
@pytest.mark.parametrize("form", ["", "T10:00:00Z", "T10:00:00.5"])
def test_what_is_no_moment_is_set_aside_with_the_reason(tmp_path, value, form):
    usual = [day + form for day in DAYS]
    dumped(tmp_path, column(usual))
    found = dumped(tmp_path, column([*usual, value]))
    assert len(rows_of(found)) == len(usual)
    instant = "at must be an instant with its zone, of the years 0001 to 9999"
    wanted = f"{instant}, to the microsecond at most" if form else DAY
    assert [(rule, reason) for rule, reason, _ in rejected_of(found)] == [("type", wanted)]


@pytest.mark.parametrize("value", ["infinity", f"{INSTANT}+25:00", f"{INSTANT}.123456789Z"])
def test_a_column_with_what_is_no_moment_is_text(tmp_path, value):
    found = dumped(tmp_path, column([f"{INSTANT}Z", value]))
    assert types_of(found)["at"] == "string"


@pytest.mark.parametrize(
    ("value", "micros"),
    [(f"{INSTANT}.123456000Z", 123456), (f"{INSTANT}.5+00", 500000), (f"{INSTANT}.123456", 123456)],
)
def test_a_moment_keeps_its_microseconds(tmp_path, value, micros):
    found = dumped(tmp_path, column([f"{INSTANT}Z", value]))
    assert rows_of(found)[1] == (1, datetime(2026, 1, 1, 10, microsecond=micros, tzinfo=UTC))


def test_a_place_fourteen_hours_ahead_has_its_own_time(tmp_path):
    found = dumped(tmp_path, column([f"{INSTANT}+14:00", f"{INSTANT}-09:30"]))
    assert [at.astimezone(UTC).hour for _, at in rows_of(found)] == [20, 19]


def test_days_have_a_year(tmp_path):
    assert rows_of(dumped(tmp_path, column(DAYS)))[0] == (0, date(2026, 1, 1))
