"""Tests of what breaks a contract: set aside with the reason, and the next goes on."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesh.backbone.wire import frame
from mesh.product.outbox import LARGEST_MESSAGE
from mesh.testing import open_workbench
from tests.stream import (
    PRODUCT,
    STAGING,
    calls,
    ids_of,
    message,
    messages,
    published_ids,
    quality,
    refused,
    run,
    set_aside,
    stored_ids,
)

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)
pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    """A workbench for all tests that only send; each sends calls of its own numbers."""
    folder = tmp_path_factory.mktemp("quarantine")
    with open_workbench(backbone, source=ROOT, folder=folder, products=["call-center"]) as bench:
        yield bench


def among_good(bench, start: int, bad):
    """Send *bad* among calls *start* to *start* + 3, and run.

    All three must arrive, or this fails. Returns what was set aside of *bad*, in order.
    """
    good = messages(bench, calls(3, start).to_pylist())
    places = bench.send(PRODUCT, [good[0], *bad[:1], good[1], *bad[1:], good[2]])
    run(bench, len(places))
    assert set(ids_of(calls(3, start))) <= set(published_ids(bench))
    found = {(each["partition"], each["offset"]): each for each in set_aside(bench)}
    return [found.get(place) for place in (places[1], *places[3:-1])]


def test_what_cannot_be_read_is_set_aside_with_its_bytes_origin_rule_and_reason(bench):
    row = calls(1, start=100).to_pylist()[0]
    whole = message(bench, row)["value"]
    key = row["call_id"].encode()
    bad = [
        (whole[:-3], "message", "ended_at"),
        (b"\x01" + whole[1:], "message", "byte 0x01"),
        (frame(2**32 - 1, whole[5:]), "schema", "no schema with id 4294967295"),
        (b"", "message", "0 bytes"),
        (b"\x00\x01", "message", "2 bytes"),
        (whole + b"\x00", "message", "1 bytes"),
        (whole[:5] + b"\x02\xff" + whole[5:], "message", "call_id"),
    ]

    kept = among_good(bench, 0, [{"key": key, "value": value} for value, _, _ in bad])

    for each, (value, rule, words) in zip(kept, bad, strict=True):
        assert (each["key"], each["value"]) == (key, value)
        assert (each["port"], each["rule"]) == (STAGING, rule)
        assert words in each["reason"]
        assert each["topic"] == bench.contract(STAGING).topic
    assert quality(bench) >= Counter(message=6, schema=1)


def test_what_breaks_a_rule_is_set_aside_with_the_field_and_no_personal_value(bench):
    first, second, third = calls(3, start=110).to_pylist()
    backwards = {"ended_at": first["started_at"] - timedelta(seconds=1)}
    bad = [
        message(bench, first, **backwards),
        message(bench, second, phone_number="0049 no number"),
        message(bench, third, queue="nonsense"),
    ]

    order, pattern, enum = among_good(bench, 10, bad)

    assert (order["field"], order["rule"]) == (None, "ends-after-start")
    assert (pattern["field"], pattern["rule"]) == ("phone_number", "phone_number.pattern")
    assert (enum["field"], enum["rule"]) == ("queue", "queue.enum")
    assert "no number" not in pattern["reason"]
    assert "nonsense" in enum["reason"]
    assert quality(bench)["queue.enum"] == 1


def test_another_topics_schema_is_set_aside_even_if_the_mesh_cannot_read_it(bench):
    odd = {"type": "record", "name": "odd", "fields": [{"name": "m", "type": ["int", "long"]}]}
    other = {"type": "record", "name": "other", "fields": [{"name": "m", "type": "int"}]}
    ids = [
        bench.registry.register(f"{bench.root.parent.name}-{schema['name']}", schema)[0]
        for schema in (odd, other)
    ]

    kept = among_good(bench, 20, [{"key": b"k", "value": frame(each, b"\x02")} for each in ids])

    assert [each["rule"] for each in kept] == ["schema", "schema"]
    assert "does not read" in kept[0]["reason"]


def test_a_message_whose_key_is_not_its_rows_is_set_aside(bench):
    rows = calls(3, start=130).to_pylist()
    bad = [
        {**message(bench, rows[0]), "key": b""},
        {**message(bench, rows[1]), "key": b"\xff\x00'; drop table calls; --"},
        {**message(bench, rows[2]), "key": rows[0]["call_id"].encode()},
        {"key": b"\xff\xfe", "value": None},
    ]

    kept = among_good(bench, 30, bad)

    assert [each["rule"] for each in kept] == ["key"] * 4
    assert [each["value"] for each in kept] == [each["value"] for each in bad]
    assert not {row["call_id"] for row in rows} & set(stored_ids(bench))


def test_a_rejection_has_a_key_and_an_id_however_odd_the_message(bench):
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    odd = {"key": b"\xff\xfe", "value": b"odd", "headers": {"traceparent": trace}}

    (kept,) = among_good(bench, 40, [odd])

    place = (kept["topic"], str(kept["partition"]), str(kept["offset"]))
    keyed = json.dumps((*place, "0"), separators=(",", ":")).encode()
    topic = kept["topic"].replace(".v1", ".rejected.v1")
    (said,) = (each for each in bench.messages(topic) if each.key() == keyed)
    headers = dict(said.headers())
    assert headers["ce_id"].decode() == "/".join((*place, "0"))
    assert headers["traceparent"].decode().split("-")[1] == trace.split("-")[1]


def test_a_large_message_goes_through_or_is_set_aside_and_stops_nothing(bench):
    fits, made, too_large = calls(3, start=150).to_pylist()
    largest = LARGEST_MESSAGE
    size = sum(len(each) for each in message(bench, made, reason="y" * 60_000).values())
    bad = [
        message(bench, fits, reason="x" * 60_000),
        # As large as may be, and the output has a field more.
        message(bench, made, reason="y" * (60_000 + largest - size)),
        message(bench, too_large, reason="z" * 1_000_000),
        {"key": b"k" * 900_000, "value": b"z" * 100_000},
        {"key": b"k", "value": b"\x01" * 1_040_000},
    ]

    kept = among_good(bench, 50, bad)

    assert kept[:2] == [None, None]
    assert fits["call_id"] in published_ids(bench)
    (row,) = refused(bench)
    assert (row["rule"], row["field"]) == ("size", None)
    assert made["call_id"].encode() in row["value"]
    assert [(len(each["key"]), len(each["value"])) for each in kept[2:]] == [
        (36, largest),
        (10_000, largest),
        (1, largest),
    ]
    assert {each["rule"] for each in kept[2:]} == {"size"}
    assert all(f"only {largest} bytes" in each["reason"] for each in kept[2:])


def test_instants_at_and_beyond_the_ends_of_time_stop_nothing(bench):
    inside, row = calls(2, start=160).to_pylist()
    ends = {
        "started_at": datetime(1, 1, 1, tzinfo=UTC),
        "ended_at": datetime.max.replace(tzinfo=UTC),
    }
    whole = message(bench, row)["value"]
    key = row["call_id"].encode()
    # Timestamps are the last two fields; an Avro long at its extremes has ten bytes.
    length = sum(len(zigzag(row[name])) for name in ends)
    smallest, largest = b"\xff" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01"
    beyond = [smallest + largest, largest + smallest, smallest + smallest]

    kept = among_good(
        bench,
        60,
        [
            message(bench, inside, **ends),
            *({"key": key, "value": whole[:-length] + each} for each in beyond),
        ],
    )

    assert kept[0] is None
    assert inside["call_id"] in published_ids(bench)
    assert [each["rule"] for each in kept[1:]] == ["type"] * 3


def zigzag(instant) -> bytes:
    """An instant in microseconds as Avro writes a long."""
    value, found = int(instant.timestamp() * 1_000_000) * 2, bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def test_a_batch_of_nothing_but_bad_messages_stops_nothing(bench):
    before = quality(bench)["message"]
    bench.send(PRODUCT, [{"key": b"k", "value": b"no"} for _ in range(300)])
    run(bench, 300)

    assert quality(bench)["message"] == before + 300
    assert among_good(bench, 70, [{"key": b"k", "value": b"no"}])[0]["rule"] == "message"


def test_while_the_registry_is_away_nothing_is_set_aside(workbench):
    workbench.feed(PRODUCT, calls(5))
    with workbench.running(PRODUCT) as runtime:
        runtime.step(0)
        there = runtime._registry.url
        runtime._registry.url = "http://127.0.0.1:9"
        with pytest.raises(Exception, match="does not answer"):
            workbench.settle(runtime, 5)

        runtime._registry.url = there
        workbench.settle(runtime, 5)

    assert published_ids(workbench) == ids_of(calls(5))
    assert set_aside(workbench) == []
