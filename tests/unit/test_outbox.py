"""Tests of what a product is about to say: ids, sizes, rejections."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import fastavro
import pyarrow as pa

from mesh.contract.rules import Violation
from mesh.product.causes import CAUSES
from mesh.product.outbox import (
    LARGEST_MESSAGE,
    OUTBOX,
    REJECTED_SCHEMA,
    event_ids,
    ordinals,
    too_large,
)
from mesh.product.rejection import Rejection, Rejector, of_size, refused
from mesh.product.transform import CAUSE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def causes(count: int) -> pa.Table:
    """Messages of one partition from offset 10 on."""
    rows = [
        {"topic": "t", "partition": 2, "offset": 10 + n, "time": EPOCH, "trace": f"trace-{n}"}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, CAUSES)


def rejection(offset: int, **changed: object) -> Rejection:
    given = {"topic": "t", "partition": 2, "offset": offset, "key": b"k", "value": b"v"}
    return Rejection(**{**given, "field": None, "rule": "r", "reason": "why", **changed})


def decoded(messages: pa.Table) -> list[dict[str, object]]:
    return [
        fastavro.schemaless_reader(io.BytesIO(value[5:]), REJECTED_SCHEMA, None)
        for value in messages["value"].to_pylist()
    ]


def test_an_event_id_is_the_place_of_its_cause_and_its_ordinal():
    indices = pa.array([0, 0, 2, 2, 2, 3], pa.int64())

    ids = event_ids(causes(4).take(indices), ordinals(indices))

    assert ids.to_pylist() == [
        "t/2/10/0",
        "t/2/10/1",
        "t/2/12/0",
        "t/2/12/1",
        "t/2/12/2",
        "t/2/13/0",
    ]


def test_no_rows_have_no_ordinals():
    assert ordinals(pa.array([], pa.int64())).to_pylist() == []


def test_a_message_that_kafka_would_not_take_is_found_by_key_and_value():
    sizes = [(1, 10), (1, LARGEST_MESSAGE), (LARGEST_MESSAGE, None), (1, LARGEST_MESSAGE - 1)]
    rows = [
        {"topic": "t", "key": b"k" * key, "value": None if value is None else b"v" * value}
        for key, value in sizes
    ]

    large = too_large(pa.Table.from_pylist(rows, OUTBOX))

    assert large.to_pylist() == [False, True, False, False]


def test_rejections_of_one_place_differ_by_a_number_however_batches_are_cut():
    both = Rejector("r", 7).messages("p", [rejection(4), rejection(5), rejection(5)])
    alone = Rejector("r", 7).messages("p", [rejection(5), rejection(5)])

    assert both["id"].to_pylist() == ["t/2/4/0", "t/2/5/0", "t/2/5/1"]
    assert alone["id"].to_pylist() == both["id"].to_pylist()[1:]
    assert both["key"].to_pylist()[0] == b'["t","2","4","0"]'


def test_a_rejection_keeps_the_bytes_and_says_why():
    messages = Rejector("r", 7).messages("p", [rejection(4, key=None, value=None), rejection(5)])

    empty, full = decoded(messages)
    assert (empty["key"], empty["value"]) == (None, None)
    assert (full["key"], full["value"]) == (b"k", b"v")
    assert (full["port"], full["rule"], full["reason"]) == ("p", "r", "why")
    assert messages["value"].to_pylist()[0][:5] == b"\x00\x00\x00\x00\x07"


def test_a_rejection_of_any_size_fits_into_a_message():
    huge = rejection(4, key=b"k" * 2_000_000, value=b"v" * 2_000_000)

    messages = Rejector("r", 7).messages("p", [huge])

    (key, value) = (messages[each][0].as_py() for each in ("key", "value"))
    assert len(key) + len(value) < LARGEST_MESSAGE + 20_000
    assert "are kept here" in decoded(messages)[0]["reason"]


def test_a_refused_row_is_json_with_the_place_it_came_from_and_its_first_reason():
    rows = pa.table({"a": ["x", "y", "z"], CAUSE: pa.array([0, 2, 2], pa.int64())})
    violations = [
        Violation(row=2, field="a", rule="first", reason="one"),
        Violation(row=2, field=None, rule="second", reason="two"),
        Violation(row=0, field="a", rule="first", reason="one"),
    ]

    found = refused([rows], causes(3), violations)

    assert [json.loads(each.value) for each in found] == [{"a": "z"}, {"a": "x"}]
    assert [(each.offset, each.rule, each.trace) for each in found] == [
        (12, "first", "trace-2"),
        (10, "first", "trace-0"),
    ]


def test_a_refused_row_may_hold_what_python_cannot():
    instants = pa.array([-(2**62), 2**62], pa.int64()).cast(pa.timestamp("us", "UTC"))
    rows = pa.table({"at": instants, "x": [float("nan"), 1.0], CAUSE: pa.array([0, 1], pa.int64())})

    found = refused([rows], causes(2), of_size([0, 1]))

    assert len(found) == 2
    assert b"148108-07-06" in found[1].value
