"""Calls of the VAST Challenge 2008, each by the person who had the phone on that day."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest

from company.vast2008 import CHANGED, STATEMENT, phone_persons
from mesh.contract.odcs import load_contract
from mesh.contract.types import arrow_schema

ROOT = Path(__file__).parents[2]
REAL_FILE = ROOT.parent / "shared" / "data" / "vast2008-cell-calls.csv"
NEEDS_THE_FILE = pytest.mark.skipif(not REAL_FILE.exists(), reason="the contest's file is not here")


def test_the_links_are_statements_as_every_relation_port_has_them():
    path = ROOT / "products/contracts/contracts/phone_number_contract.odcs.yaml"
    fields = arrow_schema(load_contract(path))

    assert STATEMENT.equals(fields)
    assert phone_persons().schema.equals(STATEMENT)
    assert len(set(phone_persons()["statement_id"].to_pylist())) == 405


def test_a_phone_that_changed_hands_has_two_links_that_do_not_overlap():
    first, second = phone_persons([300]).to_pylist()

    assert (first["to_id"], second["to_id"]) == ("P-000300", "P-000200")
    assert first["valid_to"] == second["valid_from"]
    assert first["valid_from"] is second["valid_to"] is None


def attributed() -> list[tuple[int, str | None, int]]:
    """Phone, person and day of June of each call, by a plain join as of the call."""
    links = phone_persons()  # noqa: F841 - named in the SQL
    return duckdb.sql(
        'with calls as (select "From" as phone,'
        " strptime(Datetime, '%Y%m%d %H%M') at time zone 'UTC' as called_at"
        f" from read_csv('{REAL_FILE}', types = {{'Datetime': 'varchar'}}))"
        " select phone, l.to_id, day(called_at at time zone 'UTC')::int from calls"
        " left join links l on l.from_id = '+1202555' || lpad(phone::varchar, 4, '0')"
        " and (l.valid_from is null or l.valid_from <= called_at)"
        " and (l.valid_to is null or called_at < l.valid_to)"
    ).fetchall()


@NEEDS_THE_FILE
def test_a_call_is_by_the_person_who_had_the_phone_on_that_day():
    found = attributed()

    assert len(found) == 9_834
    for old, new in CHANGED.items():
        person = f"P-{old:06}"
        by_phone = {(phone, day < 8) for phone, who, day in found if who == person}
        assert by_phone == {(old, True), (new, False)}


@NEEDS_THE_FILE
def test_only_what_an_old_phone_calls_afterwards_is_nobodys():
    nobody = Counter(phone for phone, who, _ in attributed() if who is None)

    assert nobody == {200: 5, 1: 1, 5: 3, 3: 4, 2: 4}


@NEEDS_THE_FILE
def test_the_people_that_called_the_old_phones_go_on_to_call_the_new_ones():
    """The evidence for the contest's answer: who is called moves over from one day to the next."""
    received = Counter(
        duckdb.sql(
            f"select \"To\", Datetime[:8]::int >= 20060608 from read_csv('{REAL_FILE}',"
            " types = {'Datetime': 'varchar'})"
        ).fetchall()
    )
    for old, new in CHANGED.items():
        assert received[old, False] > 10 * received[old, True]
        assert received[new, True] > 8 * received[new, False]
