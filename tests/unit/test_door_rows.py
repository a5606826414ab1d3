"""Rows over HTTP: filters by the contract's types, single keys, formats, validators, limits."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date

import pytest

from mesh.contract.model import Field
from mesh.contract.types import parse_type
from tests.doors import ROWS, opened_door
from tests.mapped import notes_contract

REF = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A door over three rows, for tests that change nothing."""
    with opened_door(tmp_path_factory.mktemp("still")) as found:
        found.add(*ROWS)
        yield found


@pytest.fixture
def door(tmp_path):
    """A door over three rows."""
    with opened_door(tmp_path) as found:
        found.add(*ROWS)
        yield found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"id": "a"}, "a"),
        ({"id": ["a", "c", "zz"]}, "ac"),
        ({"id.ne": ["a", "c"]}, "b"),
        ({"note": ""}, "b"),
        ({"note.prefix": 'é"'}, "a"),
        ({"note.is_null": "true"}, "c"),
        ({"note.is_null": "false"}, "ab"),
        ({"count": "9007199254740993"}, "a"),
        ({"count.gte": "1", "count.lt": "2"}, "b"),
        ({"small.lt": "0"}, "a"),
        ({"price": "12.5"}, "a"),
        ({"price.gt": "-0.01"}, "a"),
        ({"share": "0.1"}, "b"),
        ({"share": "NaN"}, "a"),
        ({"is_open": "false"}, "b"),
        ({"day.lte": "0001-01-01"}, "a"),
        ({"at": "2026-01-02T04:04:05.000006+01:00"}, "a"),
        ({"at.lt": "2026-01-03"}, "a"),
        ({"at.gte": "2026-01-03T00:00Z"}, "b"),
        ({"ref": REF.upper()}, "a"),
        ({"tags.is_null": "false"}, "a"),
        ({"note.ne": "x", "is_open": "true"}, "a"),
    ],
    ids=str,
)
def test_a_filter_compares_as_the_fields_type_does(still, asked, found):
    assert still.ids(**asked) == list(found)


def test_a_plus_that_nobody_escaped_is_one(still):
    assert still.ask("/ports/notes/rows?fields=id&at=2026-01-02T04:04:05.000006+01:00").json()[
        "rows"
    ] == [["a"]]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"cuont": "1"}, "no field `cuont`: did you mean count?"),
        ({"mesh.state": "1"}, "no field `mesh`"),
        ({"_offset": "1"}, "no field `_offset`"),
        ({'id"; drop table x': "1"}, "no field"),
        ({"note.like": "x"}, "note has note.eq, note.ne, "),
        ({"is_open.gt": "true"}, "is_open has is_open.eq, is_open.ne, is_open.is_null"),
        ({"tags": "a"}, "tags has tags.is_null"),
        ({"note.": "x"}, "cannot be asked"),
        ({"count": "1.0"}, "count: `1.0` is not a whole number of 64 bits"),
        ({"count": str(2**63)}, "is not a whole number of 64 bits"),
        ({"small": str(2**31)}, "is not a whole number of 32 bits"),
        ({"price": "1.234"}, "is not a decimal(6,2), as 12.50"),
        ({"price.gt": "10000"}, "is not a decimal(6,2)"),
        ({"share": "x"}, "share: `x` is not a number"),
        ({"is_open": "1"}, "is not true or false"),
        ({"is_open.is_null": "yes"}, "is not true or false"),
        ({"day": "2026-02-30"}, "is not a date, as 2026-01-31"),
        ({"at": "yesterday"}, "is not an instant, as 2026-01-31T12:00:00Z"),
        ({"at": "0001-01-01T00:00:00+01:00"}, "is not an instant"),
        ({"ref": "123"}, "is not a uuid of 36 characters"),
        ({"count.gt": ["1", "2"]}, "count.gt is there 2 times"),
        ({"id": ["x"] * 101}, "more than 100 values"),
        ({"fields": "id,nope"}, "no field `nope`"),
        ({"fields": ""}, "fields: "),
        ({"fields": ["id", "note"]}, "fields is there 2 times"),
        ({"limit": "1e3"}, "write 1 to 10000, or all"),
        ({"format": "xml"}, "write one of json, csv, arrow, parquet"),
        ({"limit": "all", "cursor": "x"}, "is no page"),
    ],
    ids=str,
)
def test_what_does_not_fit_the_contract_is_refused_in_a_sentence(still, asked, says):
    answer = still.ask(params=asked)

    assert answer.status_code == 422
    assert says in answer.json()["detail"]


def test_a_query_that_is_no_text_is_refused(still):
    assert still.ask("/ports/notes/rows?note=%ff").status_code == 422


def test_fields_come_in_the_contracts_order(still):
    document = still.ask(params={"fields": "note,id", "limit": 1}).json()

    assert document["columns"] == ["id", "note"]
    assert document["rows"] == [["a", 'é"\n,x']]


def test_a_field_with_a_name_of_ours_is_asked_with_its_operator(tmp_path):
    limit = Field(name="limit", type=parse_type({"logicalType": "integer"}))
    contract = notes_contract()
    with opened_door(tmp_path, replace(contract, fields=(*contract.fields, limit))) as door:
        door.add({"id": "a", "limit": 1}, {"id": "b", "limit": 2})

        assert door.ids(**{"limit.eq": "2"}) == ["b"]
        assert door.ids(limit="1") == ["a"]


def test_one_key_has_its_rows_and_another_none(still):
    assert [row[0] for row in still.rows("/ports/notes/rows/a")] == ["a"]
    assert still.rows("/ports/notes/rows/a", fields="count") == [[2**53 + 1]]
    assert still.ask("/ports/notes/rows/zz").status_code == 404
    assert still.ask("/ports/notes/rows/a", params={"note": "x"}).status_code == 422
    assert still.ask("/ports/notes/rows/a", "mallory").status_code == 403


def test_a_key_may_be_any_text(door):
    for text in ("x/y", "ü %", "..", "a?b#c", "{}"):
        door.add({"id": text})
        path = "".join(f"%{each:02x}" for each in text.encode())

        assert [row[0] for row in door.rows(f"/ports/notes/rows/{path}")] == [text]


def test_a_key_of_several_fields_is_a_json_array_of_texts(tmp_path):
    contract = notes_contract(day=True)
    fields = tuple(
        replace(each, key_position={"day": 1, "id": 2}.get(each.name, 0))
        for each in contract.fields
    )
    with opened_door(tmp_path, replace(contract, fields=fields)) as door:
        door.add({"id": "a", "day": date(2026, 1, 2)}, {"id": "a", "day": date(2026, 1, 1)})

        assert door.ids() == ["a", "a"]
        path = '/ports/notes/rows/["2026-01-01","a"]'
        assert door.rows(path, fields="day") == [["2026-01-01"]]
        for wrong in ("a", '["a"]', "[1,2]", '["x","a"]', "[" * 2000):
            assert door.ask(f"/ports/notes/rows/{wrong}").status_code == 422


def test_what_has_not_changed_is_not_sent_again(door):
    for params in ({}, {"limit": "all"}, {"format": "parquet"}):
        first = door.ask(params=params)
        known = {"If-None-Match": f'"other", {first.headers["etag"]}'}
        again = door.ask(params=params, headers=known)

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert door.ask(params={**params, "id": "a"}, headers=known).status_code == 200
        assert door.ask(name="mallory", params=params, headers=known).status_code == 403
        door.add({"id": f"new {params}"})
        changed = door.ask(params=params, headers=known)
        assert changed.status_code == 200
        assert changed.headers["etag"] != first.headers["etag"]


def test_rows_and_offsets_are_of_one_moment_whatever_is_written_meanwhile(door):
    stop = threading.Event()

    def write():
        number = 0
        while not stop.is_set():
            door.add(*({"id": f"{number:05}-{n}"} for n in range(10)))
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for limit in ("10000", "all") * 15:
            document = door.ask(params={"limit": limit, "fields": "id"}).json()
            assert len(document["rows"]) == document["offsets"]["t"]["0"]
    finally:
        stop.set()
        writer.join()
