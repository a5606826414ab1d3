"""Tests that erasure finds what was made of rows that are kept no longer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.product.vanished import Vanished
from tests.arrivals import AT, arrival, id_of
from tests.kept import DAY, TOPIC, openings
from tests.strategies import field_of


@pytest.fixture
def opened(tmp_path):
    """Open the call center with a port's `keep` and an output's retention; closed at the end."""
    with openings(tmp_path) as open_:
        yield open_


@pytest.mark.parametrize("keep", ["P7D", "latest", "none"])
def test_a_tombstone_erases_what_was_made_of_a_row_that_is_kept_no_longer(opened, keep):
    product = opened(keep)
    product.take(3, AT)
    product.take(1, AT + 8 * DAY)
    product.prune(AT + 8.5 * DAY)

    said = product.take(0, AT + 8.6 * DAY, (1,))

    assert [(each["key"].decode(), each["value"]) for each in said] == [(id_of(1), None)]
    assert product.kept("main.calls") == [0, 2, 3]
    assert 1 not in product.kept("origins.finished_calls")


def test_a_row_without_its_optional_record_is_erased_too(opened):
    street = {"logicalType": "string", "name": "street", "required": True}
    product = opened("all", None, field_of("place", "object", properties=[street]))
    product.take(2, AT)

    said = product.take(0, AT, (1,))

    assert [each["key"].decode() for each in said] == [id_of(1)]
    assert product.kept() == [0]


def test_without_the_origins_the_same_tombstone_erases_nothing(opened):
    product = opened("none")
    product.take(3, AT)
    product.prune(AT)
    product.storage.connection.execute("delete from origins.finished_calls")

    assert product.take(0, AT, (1,)) == []
    assert product.kept("main.calls") == [0, 1, 2]


def test_a_key_that_came_again_after_its_erasure_stays(opened):
    product = opened("none")
    product.take(1, AT)
    product.prune(AT)
    product.take(0, AT, (0,))
    again = arrival(product.plan, [1], offset=0, at=AT)
    columns = again.causes.set_column(2, again.causes.schema.field("offset"), [[2]])

    product.engine.take_in([replace(again, causes=columns)], {TOPIC: {0: 3}})

    assert product.kept("main.calls") == [2]


def test_origins_go_when_nothing_is_left_of_what_was_made(opened):
    product = opened("none", retention=3 * DAY)
    for day in range(6):
        product.take(1, AT + day * DAY)
        product.prune(AT + day * DAY)
    assert product.kept() == []

    product.prune(AT + 5.5 * DAY)

    assert product.kept("main.calls") == product.kept("origins.finished_calls") == [3, 4, 5]


def test_of_a_key_that_comes_again_the_latest_row_is_kept(opened):
    product = opened("latest")
    for start in (0, 5):
        came = arrival(product.plan, [1] * 5, at=AT)
        places = came.causes.set_column(
            2, came.causes.schema.field("offset"), [list(range(start, start + 5))]
        )
        product.engine.take_in([replace(came, causes=places)], {TOPIC: {0: start + 5}})
        product.prune(AT)

    assert product.kept() == [5, 6, 7, 8, 9]
    assert product.kept("main.calls") == list(range(10))
    product.offsets[0] = 10
    product.take(0, AT, (3,))
    assert product.kept("main.calls") == [0, 1, 2, 4, 5, 6, 7, 9]


def test_an_erasure_that_was_missed_is_found_in_rows_that_are_kept_no_longer(opened):
    product = opened("none")
    product.take(3, AT)
    product.prune(AT)

    with Vanished(product.storage, product.plan.inputs[0]) as vanished:
        (gone,) = vanished.found({0: 1})
    (batch,) = product.engine.take_in([gone], {})

    assert [key.decode() for key in batch.outbox["key"].to_pylist()] == [id_of(1), id_of(2)]
    assert product.kept("main.calls") == [0]


def test_what_is_asked_for_once_more_makes_nothing_older_or_younger(opened):
    product = opened("P7D")
    product.take(3, AT)
    late = replace(arrival(product.plan, [1], offset=0, at=AT + 30 * DAY), asks=("an ask",))

    product.now = AT + 30 * DAY
    product.engine.retention.note([late])
    product.prune(AT + 30 * DAY)

    assert product.kept() == []
