"""Tests of erasure: a tombstone on an event topic, and all that it takes with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mesh.errors import Refused
from mesh.product.readback import read_back
from mesh.testing import open_workbench
from tests.stream import (
    CALLS,
    MASKED,
    PRODUCT,
    calls,
    ids_of,
    message,
    published,
    run,
    stored_ids,
)

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    """A workbench for all these tests; each has calls of its own numbers."""
    folder = tmp_path_factory.mktemp("erasure")
    with open_workbench(backbone, source=ROOT, folder=folder, products=["call-center"]) as bench:
        yield bench


def tombstone(call_id: str) -> dict[str, object]:
    return {"key": call_id.encode(), "value": None}


def said(bench, call_id: str, port: str = CALLS) -> list[bool]:
    """Of each message on the output topic about a call, in order, whether it holds a row."""
    messages = bench.messages(bench.contract(port).topic)
    about = [each for each in messages if each.key() == call_id.encode()]
    return [each.value() is not None for each in about]


def sites(bench, call_id: str) -> list[str]:
    """The sites of the rows that the storage holds of a call."""
    return [each["site"] for each in bench.rows(PRODUCT, "calls") if each["call_id"] == call_id]


def test_a_tombstone_deletes_the_row_and_goes_on_to_the_output_topic(bench):
    erased, *others = ids_of(calls(5))
    bench.feed(PRODUCT, calls(5))
    run(bench, 5)

    bench.send(PRODUCT, [tombstone(erased)])
    run(bench, 1)

    for schema, table in (("main", "calls"), ("input", "finished_calls")):
        stored = stored_ids(bench, schema, table)
        assert erased not in stored
        assert set(others) <= set(stored)
    assert said(bench, erased) == [True, False]
    assert all(said(bench, each) == [True] for each in others)


def test_nothing_of_an_erased_row_stays_in_the_outbox(bench):
    bench.feed(PRODUCT, calls(5, 10))
    bench.send(PRODUCT, [tombstone(each) for each in ids_of(calls(5, 10))])

    run(bench, 10)

    assert bench.rows(PRODUCT, "outbox", "mesh") == []


def test_a_row_delivered_again_after_its_tombstone_stands(bench):
    (row,) = calls(1, 20).to_pylist()
    bench.send(PRODUCT, [message(bench, row)])
    run(bench, 1)
    bench.send(PRODUCT, [tombstone(row["call_id"])])
    run(bench, 1)

    bench.send(PRODUCT, [message(bench, row, site="again")])
    run(bench, 1)

    assert sites(bench, row["call_id"]) == ["again"]
    assert said(bench, row["call_id"]) == [True, False, True]


def test_in_one_batch_a_tombstone_stands_between_what_came_before_and_after_it(bench):
    first, second = calls(2, 30).to_pylist()
    bench.send(
        PRODUCT,
        [
            message(bench, first),
            tombstone(first["call_id"]),
            message(bench, first, site="again"),
            tombstone(second["call_id"]),
            message(bench, second),
            tombstone(second["call_id"]),
            tombstone(second["call_id"]),
        ],
    )

    run(bench, 7)

    assert sites(bench, first["call_id"]) == ["again"]
    assert sites(bench, second["call_id"]) == []
    assert said(bench, first["call_id"]) == [True, False, True]
    assert said(bench, second["call_id"]) == [True, False]


def test_a_tombstone_for_what_never_came_says_nothing(bench):
    never = ids_of(calls(1, 40))[0]
    before = len(published(bench))

    bench.send(PRODUCT, [tombstone(never), tombstone("no uuid"), tombstone("")])
    run(bench, 3)

    assert len(published(bench)) == before


def test_a_storage_that_is_rebuilt_has_erased_what_was_erased(bench):
    erased, *others = ids_of(calls(5, 50))
    bench.feed(PRODUCT, calls(5, 50))
    bench.send(PRODUCT, [tombstone(erased)])
    run(bench, 6)
    stored = stored_ids(bench)
    bench.home.storage(PRODUCT).unlink()

    run(bench, 0)

    assert stored_ids(bench) == stored
    assert set(others) <= set(stored)
    assert erased not in stored
    assert said(bench, erased) == [True, False]


def test_a_masked_port_has_the_same_rows_but_no_number_and_erases_them_too(bench):
    table = calls(5, 60)
    erased, *others = ids_of(table)
    bench.feed(PRODUCT, table)
    bench.send(PRODUCT, [tombstone(erased)])
    run(bench, 6)
    rows = {str(row["call_id"]): row for row in bench.rows(PRODUCT, "calls_masked")}
    bench.home.storage(PRODUCT).unlink()
    run(bench, 0)

    assert rows == {str(row["call_id"]): row for row in bench.rows(PRODUCT, "calls_masked")}
    assert sorted(rows) == stored_ids(bench)
    assert said(bench, erased, MASKED) == [True, False]
    assert all(said(bench, each, MASKED) == [True] for each in others)
    values = b"".join(e.value() or b"" for e in bench.messages(bench.contract(MASKED).topic))
    assert b"billing" in values
    assert [each for each in table["phone_number"].to_pylist() if each.encode() in values] == []


def test_kafka_refuses_the_other_port_to_whoever_is_granted_the_masked_one(bench):
    bench.feed(PRODUCT, calls(1, 70))
    run(bench, 1)
    read = partial(read_back, bench.backbone.endpoint, bench.principal("hedy"))

    assert [each for chunk in read(bench.contract(MASKED).topic) for each in chunk]
    with pytest.raises(Refused):
        next(read(bench.contract(CALLS).topic))
