"""Tests of the way of the data: staging topic, DuckDB, output topic, and what each message says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from mesh.testing import open_workbench
from tests.stream import (
    CALLS,
    PRODUCT,
    STAGING,
    calls,
    ids_of,
    messages,
    published,
    published_ids,
    run,
    staged,
)

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.broker

CAUSE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def murmur2(key: bytes) -> int:
    """The hash of Kafka's Java clients, as org.apache.kafka.common.utils.Utils has it."""
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    value = (0x9747B28C ^ len(key)) & mask
    whole = len(key) & ~3
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & mask
        word = (word ^ word >> 24) * multiplier & mask
        value = (value * multiplier & mask) ^ word
    if rest := key[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * multiplier & mask
    value = (value ^ value >> 13) * multiplier & mask
    return value ^ value >> 15


def java_partition(key: bytes, count: int) -> int:
    """Where a Java client puts *key*: BuiltInPartitioner, murmur2 without its sign."""
    return (murmur2(key) & 0x7FFFFFFF) % count


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    """A workbench on which twenty calls have gone through."""
    folder = tmp_path_factory.mktemp("stream")
    with open_workbench(backbone, source=ROOT, folder=folder, products=[PRODUCT]) as bench:
        bench.feed(PRODUCT, calls(20))
        run(bench, 20)
        yield bench


def test_a_call_is_published_as_it_was_fed_with_its_duration(bench):
    fed = {row["call_id"]: row for row in calls(20).to_pylist()}

    said = bench.decoded(published(bench))

    assert len(said) == len(bench.rows(PRODUCT, "calls")) == 20
    for row in said:
        duration = row.pop("duration_s")
        row["call_id"] = str(row["call_id"])
        assert row == fed[row["call_id"]]
        assert duration == int((row["ended_at"] - row["started_at"]).total_seconds())


def test_every_message_carries_the_cloud_events_headers(bench):
    topic, staging = bench.contract(CALLS).topic, bench.contract(STAGING).topic
    found = [dict(each.headers()) for each in published(bench)]

    shared = {
        "ce_specversion": b"1.0",
        "ce_source": f"/{topic.split('.')[1]}/call-center/calls".encode(),
        "ce_type": topic.encode(),
        "content-type": b"application/avro",
    }
    assert all(shared.items() <= each.items() for each in found)
    assert len({each["ce_id"] for each in found}) == 20
    assert all(each["ce_id"].decode().startswith(f"{staging}/") for each in found)


def test_the_time_of_an_event_is_rfc_3339_in_utc(bench):
    stamps = {each.key(): each.timestamp()[1] for each in staged(bench)}

    for each in published(bench):
        time = dict(each.headers())["ce_time"].decode()
        assert time.endswith("Z")
        assert datetime.fromisoformat(time).timestamp() * 1000 == stamps[each.key()]


def test_every_message_has_a_salt_of_its_own(bench):
    salts = [dict(each.headers())["salt"] for each in published(bench)]

    assert {len(salt) for salt in salts} == {32}
    assert len(set(salts)) == 20


def test_a_key_is_the_canonical_text_of_its_row(bench):
    found = published(bench)

    for each, row in zip(found, bench.decoded(found), strict=True):
        assert each.key() == str(row["call_id"]).encode()


def test_the_reference_hash_is_that_of_kafkas_java_clients():
    # From Kafka's own UtilsTest.
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF


def test_keys_go_to_the_partition_that_a_java_client_would_choose(bench):
    found = [*staged(bench), *published(bench)]

    assert {each.partition() for each in found} == {0, 1, 2, 3}
    for each in found:
        assert each.partition() == java_partition(each.key(), 4)


def test_a_trace_goes_on_from_the_message_that_caused_it(workbench):
    traced, untraced, hostile = messages(workbench, calls(3).to_pylist())
    traced["headers"] = {"traceparent": CAUSE, "other": None, "bytes": b"\xff\xfe"}
    hostile["headers"] = {"traceparent": b"00-\xff\xfe-not-text"}
    workbench.send(PRODUCT, [traced, untraced, hostile])

    run(workbench, 3)

    found = {each.key(): dict(each.headers())["traceparent"] for each in published(workbench)}
    version, trace, span, flags = found[traced["key"]].decode().split("-")
    assert (version, trace, flags) == ("00", CAUSE.split("-")[1], "01")
    assert span != CAUSE.split("-")[2]
    assert len({each.split(b"-")[1] for each in found.values()}) == 3


def test_how_the_input_is_cut_into_batches_changes_nothing(workbench):
    with workbench.running(PRODUCT) as runtime:
        for start, count in ((0, 1), (1, 40), (41, 2)):
            workbench.feed(PRODUCT, calls(count, start))
            workbench.settle(runtime, count)

    assert published_ids(workbench) == ids_of(calls(43))


def test_a_lag_says_what_waits_and_ends_at_none(workbench):
    workbench.feed(PRODUCT, calls(50))

    with workbench.running(PRODUCT) as runtime:
        runtime.step(0)
        waiting = runtime.progress.lag
        workbench.settle(runtime, 50)

        # The feed's commit is an offset of each partition too.
        assert 50 <= waiting <= 54
        assert runtime.progress.lag == 0


def test_a_product_that_stops_keeps_no_message_that_is_published(workbench):
    workbench.feed(PRODUCT, calls(20, start=500))
    with workbench.running(PRODUCT) as runtime:
        before = runtime._storage.seq
        # Closed at once, before there is a moment in which nothing comes.
        while runtime._storage.seq == before:
            runtime.step(0.1)

    with workbench.opened(PRODUCT) as storage:
        rows = storage.connection.execute("select count(*) from mesh.outbox").fetchall()
    assert rows == [(0,)]
