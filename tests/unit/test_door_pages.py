"""Pages: a walk by cursors sees each row once, whatever comes and goes; nobody forges a cursor."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesh.ports import pages
from tests.doors import Doors, opened_door
from tests.mapped import notes_contract


@pytest.fixture
def door(tmp_path):
    with opened_door(tmp_path) as found:
        yield found


def walk(door: Doors, between=lambda: None, **params):
    """Every page, and what is done between two."""
    found, cursor = [], {}
    while True:
        document = door.ask(params={**params, **cursor}).json()
        found.append(document)
        if document["next"] is None:
            return found
        cursor = {"cursor": document["next"]}
        between()


def rows_of(found):
    return [tuple(row) for document in found for row in document["rows"]]


def test_a_walk_sees_each_row_once_in_order_of_key(door):
    door.fill(1000)
    found = walk(door, limit=137, fields="id")

    assert [len(each["rows"]) for each in found] == [137] * 7 + [41]
    assert rows_of(found) == [(f"{n:07}",) for n in range(1000)]


def test_a_page_that_ends_with_the_last_row_is_the_last(door):
    door.fill(10)

    assert door.ask(params={"limit": 10}).json()["next"] is None
    assert door.ask(params={"limit": 9}).json()["next"] is not None


def test_a_walk_keeps_its_filters_and_may_change_fields_and_format(door):
    door.fill(100)
    first = door.ask(params={"limit": 5, "count.gte": "50", "fields": "count"}).json()
    second = door.ask(
        params={"limit": 7, "count.gte": "50", "cursor": first["next"], "format": "csv"}
    )

    assert first["rows"] == [[n] for n in range(50, 55)]
    assert [line.split(",")[0] for line in second.text.splitlines()[1:]] == [
        f'"{n:07}"' for n in range(55, 62)
    ]
    assert second.headers["mesh-next"]


def test_a_row_that_is_there_all_the_while_is_seen_once_whatever_comes_and_goes(door):
    door.fill(200)
    steady = {f"{n:07}" for n in range(200) if n % 3}
    number = iter(range(10_000))

    def change():
        n = next(number)
        door.remove(f"{3 * n:07}")
        door.add({"id": f"{n:07}-"}, {"id": f"9{n}"}, partition=1)

    found = walk(door, change, limit=17, fields="id")
    seen = [row[0] for row in rows_of(found)]

    assert sorted(seen) == seen
    assert len(seen) == len(set(seen))
    assert steady <= set(seen)
    # Each page says for which offsets it is true.
    assert len({str(each["offsets"]) for each in found}) == len(found)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 2)), max_size=30
    ),
    limit=st.integers(1, 7),
)
def test_rows_of_one_key_and_one_message_are_not_lost_between_pages(door, places, limit):
    door.storage.connection.execute("delete from main.notes")
    rows = [
        {"id": id_, "count": n, "_partition": partition, "_offset": offset}
        for n, (id_, partition, offset) in enumerate(places)
    ]
    if rows:
        door.add(*rows)

    seen = rows_of(walk(door, limit=limit, fields="count"))
    assert sorted(seen) == [(n,) for n in range(len(rows))]
    assert seen == [(n,) for n in sorted(range(len(rows)), key=lambda n: (places[n], n))]


def test_a_state_port_is_walked_by_its_key_alone(tmp_path):
    with opened_door(tmp_path, replace(notes_contract(), kind="state")) as door:
        door.storage.connection.execute(
            "insert into main.notes (id) select printf('%03d', range) from range(50)"
        )

        assert len(rows_of(walk(door, limit=7))) == 50


@pytest.mark.parametrize(
    "field", ["note", "count", "small", "price", "is_open", "day", "at", "ref"]
)
def test_a_key_of_any_type_is_walked(tmp_path, field):
    values = {
        "note": "repeat('é', range)", "count": "range - 5", "small": "range - 5",
        "price": "range / 100 - 0.05", "is_open": "range > 5",
        "day": "date '0001-01-01' + range::integer",
        "at": "timestamptz '0001-01-01 00:00:00+00' + interval (range) microsecond",
        "ref": "uuid()",
    }  # fmt: skip
    contract = notes_contract()
    fields = tuple(
        replace(each, key_position=int(each.name == field), is_required=each.name == field)
        for each in contract.fields
    )
    with opened_door(tmp_path, replace(contract, fields=fields)) as door:
        door.storage.connection.execute(
            f'insert into main.notes ("{field}", id, _partition, _offset)'
            f" select {values[field]}, range, 0, range from range(11)"
        )
        seen = rows_of(walk(door, limit=2, fields="id"))

        assert sorted(seen, key=lambda row: int(row[0])) == [(str(n),) for n in range(11)]


def test_a_page_ends_early_where_its_rows_are_large(door, monkeypatch):
    monkeypatch.setattr(pages, "MAX_BYTES", 200_000)
    door.fill(5000)
    door.storage.connection.execute("update main.notes set note = repeat('x', 100)")
    found = walk(door, limit=10_000, fields="id,note")

    assert len(found) > 1
    assert len(set(rows_of(found))) == 5000


def test_a_cursor_that_was_tampered_with_is_refused(door):
    door.fill(10)
    cursor = door.ask(params={"limit": 5}).json()["next"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    forged = [cursor[:-1], cursor + "A", "", "x", "é", "=" * 8, "A" * 20_000, f" {cursor}"]
    forged += [
        base64.urlsafe_b64encode(raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :]).decode().rstrip("=")
        for n in range(len(raw))
    ]

    for each in forged:
        answer = door.ask(params={"limit": 5, "cursor": each})
        assert answer.status_code == 400, each
        assert "the cursor" in answer.json()["detail"]


def test_a_cursor_belongs_to_its_question(door):
    door.fill(10)
    cursor = door.ask(params={"limit": 5}).json()["next"]
    answer = door.ask(params={"limit": 5, "count.gt": 3, "cursor": cursor})

    assert answer.status_code == 400
    assert "another question" in answer.json()["detail"]


def test_a_cursor_outlasts_a_restart_of_the_product(tmp_path):
    with opened_door(tmp_path) as door:
        door.fill(10)
        cursor = door.ask(params={"limit": 5}).json()["next"]
    with opened_door(tmp_path) as door:
        assert door.ids(cursor=cursor) == [f"{n:07}" for n in range(5, 10)]
