"""Tests of state ports: the topic, the table and the whole query say the same, whatever happens."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from confluent_kafka import TopicPartition

from mesh.errors import InvalidFile, StorageError
from mesh.product import engine, inputs
from mesh.product.engine import Engine
from mesh.product.intake import Intake
from mesh.product.plan import plan_product
from mesh.product.recovery import Recovery
from mesh.product.relay import RelayFailed
from mesh.testing.messages import send_all
from tests.stats import (
    CALLERS,
    HEAVY,
    PHONES,
    PHONES_SQL,
    STATS,
    compacted,
    open_stats,
    table,
    whole,
)
from tests.stream import PRODUCT, FaultyRelay, calls, process

pytestmark = pytest.mark.broker

NUMBERS = 7


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with both products of state ports."""
    with open_stats(backbone, tmp_path) as found:
        yield found


def few(count: int, start: int = 0) -> pa.Table:
    """Calls from a few numbers only, so that each has several."""
    found = calls(count, start)
    numbers = pa.array([f"+1202555010{(start + i) % NUMBERS}" for i in range(count)])
    return found.set_column(found.schema.get_field_index("phone_number"), "phone_number", numbers)


def feed(bench, count: int, start: int = 0) -> None:
    """Feed calls and let the call center publish them."""
    bench.feed(PRODUCT, few(count, start))
    run(bench, PRODUCT, count)


def erase(bench, count: int, start: int = 0) -> None:
    """Erase calls at their source, and let the call center pass it on."""
    ids = few(count, start)["call_id"].to_pylist()
    bench.send(PRODUCT, [{"key": each.encode(), "value": None} for each in ids])
    run(bench, PRODUCT, count)


def run(bench, product: str, count: int = 0) -> None:
    """Run a product until *count* messages came and none waits."""
    with bench.running(product) as runtime:
        bench.settle(runtime, count)


def counts(bench, port: str = PHONES) -> dict[str, int]:
    """How many calls a port's topic says of each number."""
    return {key: row["calls"] for key, row in compacted(bench, port).items()}


def expected(*pieces: pa.Table) -> dict[str, int]:
    """How many of these calls each number has."""
    numbers = pa.concat_tables(pieces)["phone_number"]
    return {each["values"]: each["counts"] for each in pc.value_counts(numbers).to_pylist()}


def assert_true(bench, *ports: str) -> None:
    """Topic, table and whole query of each port agree."""
    for port in ports:
        truth = whole(bench, port)
        assert table(bench, port) == truth
        assert compacted(bench, port) == truth


def history(bench, port: str) -> list[tuple[str, Any]]:
    """Every message of a port's topic, key and row, by key, each key's in order."""
    messages = bench.messages(bench.contract(port).topic)
    rows = bench.decoded(messages)
    found = [(each.key().decode(), row) for each, row in zip(messages, rows, strict=True)]
    return sorted(found, key=lambda each: each[0])


def test_rows_arrive_and_change_and_each_has_its_own_event_id(bench):
    feed(bench, 40)
    run(bench, STATS, 40)
    feed(bench, 3, 40)
    run(bench, STATS, 3)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(40), few(3, 40))
    messages = bench.messages(bench.contract(PHONES).topic)
    headers = [dict(each.headers()) for each in messages]
    assert len(messages) >= NUMBERS + 3
    assert len({each["ce_id"] for each in headers}) == len(messages)
    assert all(each["ce_time"] and each["traceparent"] for each in headers)


def test_an_erasure_lowers_the_counts_and_goes_through_two_hops(bench):
    feed(bench, 2 * NUMBERS + 1)
    run(bench, STATS)
    run(bench, HEAVY)
    assert counts(bench, CALLERS) == expected(few(2 * NUMBERS + 1))
    erase(bench, 1)
    erase(bench, 1, 1)
    erase(bench, 1, NUMBERS + 1)
    run(bench, STATS, 3)
    run(bench, HEAVY)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(
        few(2 * NUMBERS + 1).slice(2).filter(_not_at(NUMBERS - 1, 2 * NUMBERS - 1))
    )
    gone = few(2)["phone_number"][1].as_py()
    assert gone not in compacted(bench, PHONES)
    assert gone not in compacted(bench, CALLERS)
    assert (gone, None) in history(bench, CALLERS)


def _not_at(position: int, count: int) -> pa.Array:
    """A mask of *count* that leaves out one position."""
    return pa.array([number != position for number in range(count)])


# What becomes of the storage.


def storage_of(bench, product: str) -> Path:
    return bench.home.storage(product)


def copy_of(bench, product: str) -> Path:
    """A copy of the storage as it is now."""
    storage = storage_of(bench, product)
    return Path(shutil.copy(storage, storage.with_name("copy")))


def assert_never_back(bench, port: str, values: Callable[[Any], int]) -> None:
    """No message of a key has a lower value than one before: only calls that are added came."""
    last: dict[str, int] = {}
    for key, row in history(bench, port):
        assert row is not None, f"{key} was deleted"
        assert values(row) >= last.get(key, 0), f"{key} went back"
        last[key] = values(row)


def test_a_lost_storage_is_rebuilt_and_nothing_is_said_again(bench):
    feed(bench, 40)
    for product in (STATS, HEAVY):
        run(bench, product)
        storage_of(bench, product).unlink()
    before = len(history(bench, PHONES)), len(history(bench, CALLERS))

    for product in (STATS, HEAVY):
        run(bench, product)

    assert (len(history(bench, PHONES)), len(history(bench, CALLERS))) == before
    assert_true(bench, PHONES, CALLERS)


def test_an_older_copy_catches_up_and_no_number_goes_back(bench):
    copies = {}
    feed(bench, 20)
    for product in (STATS, HEAVY):
        run(bench, product)
        copies[product] = copy_of(bench, product)
    for start in (20, 40):
        feed(bench, 20, start)
        for product in (STATS, HEAVY):
            run(bench, product)
    feed(bench, 20, 60)
    for product, copy in copies.items():
        shutil.move(copy, storage_of(bench, product))
        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(80))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])


def test_an_older_copy_brings_back_no_row_that_was_deleted_meanwhile(bench):
    feed(bench, NUMBERS * 2)
    copies = {}
    for product in (STATS, HEAVY):
        run(bench, product)
        copies[product] = copy_of(bench, product)
    erase(bench, 1)
    erase(bench, 1, NUMBERS)
    for product in (STATS, HEAVY):
        run(bench, product)
    before = history(bench, CALLERS)
    for product, copy in copies.items():
        shutil.move(copy, storage_of(bench, product))
        run(bench, product)

    assert history(bench, CALLERS) == before
    assert len(table(bench, CALLERS)) == NUMBERS - 1
    assert_true(bench, PHONES, CALLERS)


def lose_with_a_source_that_forgot(bench, key: str) -> None:
    """Lose the storage, and rebuild it from a source that holds nothing of *key* any more.

    As after compaction: neither the row nor its tombstone is there to be read again.
    """
    storage_of(bench, HEAVY).unlink()
    topic, read = bench.contract(PHONES).topic, Intake.read

    def read_less(self, messages):
        is_source = self.source.contract.topic == topic
        return read(self, [e for e in messages if not is_source or e.key() != key.encode()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Intake, "read", read_less)
        run(bench, HEAVY)


def test_a_key_that_its_source_deleted_and_forgot_leaves_no_ghost(bench):
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)

    lose_with_a_source_that_forgot(bench, "+12025550100")

    assert len(compacted(bench, CALLERS)) == NUMBERS - 1
    assert_true(bench, CALLERS)


def test_without_the_topic_read_back_the_ghost_stays(bench, monkeypatch):
    monkeypatch.setattr(Recovery, "_published", lambda *_: ())
    feed(bench, NUMBERS * 2)
    run(bench, STATS)
    run(bench, HEAVY)

    lose_with_a_source_that_forgot(bench, "+12025550100")

    with pytest.raises(AssertionError):
        assert_true(bench, CALLERS)


def test_a_torn_log_is_recovered(bench):
    storage = storage_of(bench, STATS)
    torn = storage.with_name("torn")
    with bench.running(STATS) as runtime:
        bench.settle(runtime)
        for start in range(0, 60, 20):
            feed(bench, 20, start)
            bench.settle(runtime, 20)
        shutil.copy(storage, torn)
        log = storage.with_name(f"{storage.name}.wal").read_bytes()
    shutil.move(torn, storage)
    storage.with_name(f"{storage.name}.wal").write_bytes(log[: len(log) // 2])

    run(bench, STATS)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(60))
    assert_never_back(bench, PHONES, lambda row: row["calls"])


@pytest.mark.parametrize("point", ["before", "within", "after"])
def test_a_publication_that_fails_is_made_once(bench, point):
    with bench.running(STATS) as runtime:
        bench.settle(runtime)
        runtime._relay = FaultyRelay(runtime._relay, [point])
        feed(bench, 20)
        with pytest.raises(RelayFailed):
            bench.settle(runtime, 20)
        bench.settle(runtime)

    assert_true(bench, PHONES)
    assert len(history(bench, PHONES)) == NUMBERS


def test_a_large_change_is_published_in_pieces_and_recovered_between_them(bench, monkeypatch):
    monkeypatch.setattr(engine, "FAN_OUT", 3)
    feed(bench, 20)
    run(bench, STATS)
    before = len(history(bench, PHONES))
    rewrite(bench, PHONES_SQL.replace("count(*)", "count(*) + 100"))
    with bench.running(STATS) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, ["", "before"])
        with pytest.raises(RelayFailed):
            bench.settle(runtime)
    assert len(history(bench, PHONES)) == before + 3
    storage_of(bench, STATS).unlink()

    run(bench, STATS)

    assert len(history(bench, PHONES)) == before + NUMBERS
    assert_true(bench, PHONES)
    assert_never_back(bench, PHONES, lambda row: row["calls"])


# What becomes of the query.


def rewrite(bench, sql: str) -> Path:
    """Give `call-stats` another query."""
    path = bench.root / "products" / "call_stats" / "phones.sql"
    path.write_text(sql)
    return path


def test_another_query_publishes_only_the_rows_that_differ(bench):
    feed(bench, NUMBERS * 2 + 1)
    run(bench, STATS)
    before = len(history(bench, PHONES))
    rewrite(bench, f"{PHONES_SQL} having count(*) > 2")

    run(bench, STATS)

    assert len(history(bench, PHONES)) == before + NUMBERS - 1
    assert sum(row is None for _, row in history(bench, PHONES)) == NUMBERS - 1
    assert_true(bench, PHONES)


def test_a_query_that_fails_on_the_data_stops_with_its_file_until_it_is_mended(bench):
    sql = rewrite(bench, PHONES_SQL.replace("count(*)", "max(agent_id)::bigint + count(*)"))
    feed(bench, 10)

    with pytest.raises(InvalidFile) as found:
        run(bench, STATS)
    sql.write_text(PHONES_SQL)
    run(bench, STATS)

    assert found.value.faults[0].path == sql
    assert "fails on the data" in found.value.faults[0].problem
    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(10))


# What cannot be read, or is no longer there.


def spoil(bench, *keys: str) -> None:
    """Put messages on the phones' topic that nobody can read."""
    client = bench.backbone.endpoint.client(bench.principal(STATS))
    topic = bench.contract(PHONES).topic
    send_all(client, topic, [{"key": each.encode(), "value": b"junk"} for each in keys])


def test_what_nobody_can_read_on_its_own_topic_is_said_again_or_deleted(bench):
    feed(bench, 2 * NUMBERS)
    run(bench, STATS)
    spoil(bench, "+12025550100", "+nobody")
    rewrite(bench, f"{PHONES_SQL} -- as before")

    run(bench, STATS)

    assert_true(bench, PHONES)
    assert len(compacted(bench, PHONES)) == NUMBERS


def set_aside(bench) -> list[str]:
    """The keys of what `call-heavy` could not read of the phones."""
    source = plan_product(bench.project(), HEAVY).inputs[0]
    return [row["key"].decode() for row in bench.decoded(bench.messages(source.rejected_topic))]


def test_what_cannot_be_read_of_a_state_input_is_set_aside_once(bench):
    feed(bench, 2 * NUMBERS)
    run(bench, STATS)
    spoil(bench, "+first")
    run(bench, HEAVY)
    assert set_aside(bench) == ["+first"]
    spoil(bench, "+second")
    run(bench, HEAVY, 1)
    feed(bench, NUMBERS, 2 * NUMBERS)
    run(bench, STATS)
    run(bench, HEAVY)
    spoil(bench, "+third")
    storage_of(bench, HEAVY).unlink()

    run(bench, HEAVY)

    assert set_aside(bench) == ["+first", "+second", "+third"]
    assert_true(bench, CALLERS)


def test_a_row_that_breaks_the_contract_is_refused_once_and_its_key_deleted(bench):
    feed(bench, 2 * NUMBERS)
    run(bench, STATS)
    case = "case when phone_number = '+12025550100' then -1 else"
    rewrite(bench, PHONES_SQL.replace("sum(duration_s)", f"{case} sum(duration_s) end"))
    # So that the whole query is computed at every batch, the refused row too.
    (bench.root / "products" / "call_stats" / "phones.keys.sql").unlink()
    with bench.running(STATS) as runtime:
        bench.settle(runtime)
        feed(bench, 1, 2 * NUMBERS + 1)
        bench.settle(runtime, 1)

    rejected = bench.decoded(bench.messages(bench.contract(PHONES).rejected_topic))
    assert [each["field"] for each in rejected] == ["seconds"]
    assert "+12025550100" not in compacted(bench, PHONES)
    assert counts(bench).keys() == table(bench, PHONES).keys()
    assert len(counts(bench)) == NUMBERS - 1


def test_events_that_are_gone_stop_a_lost_state_port_and_an_older_copy_helps(bench):
    feed(bench, 20)
    run(bench, STATS)
    copy = copy_of(bench, STATS)
    topic = bench.contract("call-center.calls").topic
    client = bench.backbone.administrator()._client
    for future in client.delete_records([TopicPartition(topic, n, 1) for n in range(4)]).values():
        future.result()
    feed(bench, 20, 20)
    run(bench, STATS)
    storage_of(bench, STATS).unlink()

    with pytest.raises(StorageError, match="put a copy of its storage back"):
        run(bench, STATS)
    shutil.move(copy, storage_of(bench, STATS))
    run(bench, STATS)

    assert_true(bench, PHONES)
    assert counts(bench) == expected(few(40))


# What is killed, and what must wait.


def test_a_product_that_is_killed_again_and_again_says_the_truth_in_the_end(bench):
    chance = random.Random(5)  # noqa: S311 - a drill that can be repeated
    fed = 0
    for _ in range(4):
        feed(bench, 150, fed)
        fed += 150
        for product in (STATS, HEAVY):
            with process(bench, "run", product) as (child, log):
                while b" running" not in log.read_bytes():
                    assert child.poll() is None, log.read_text()
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.3))
                child.send_signal(signal.SIGKILL)
                child.wait()
    for product in (STATS, HEAVY):
        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(fed))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])


def run_for(bench, product: str, batches: int) -> None:
    """Run a product that is stopped within its recovery, after some *batches*."""
    left, take_in = iter(range(batches)), Engine.take_in

    def take_in_or_stop(self, *arguments, **options):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return take_in(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "take_in", take_in_or_stop)
        with pytest.raises(KeyboardInterrupt):
            run(bench, product)


def test_a_recovery_that_is_stopped_again_and_again_gets_there_later(bench, monkeypatch):
    monkeypatch.setattr(inputs, "BATCH_ROWS", 5)
    feed(bench, 60)
    for product in (STATS, HEAVY):
        run(bench, product)
        storage_of(bench, product).unlink()
        for batches in (1, 2, 1):
            run_for(bench, product, batches)

        run(bench, product)

    assert_true(bench, PHONES, CALLERS)
    assert counts(bench) == expected(few(60))
    for port in (PHONES, CALLERS):
        assert_never_back(bench, port, lambda row: row["calls"])


def test_a_backlog_of_events_does_not_keep_state_waiting(bench, monkeypatch):
    run(bench, HEAVY)
    monkeypatch.setattr(inputs, "BATCH_ROWS", 10)
    feed(bench, 400)
    run(bench, STATS)
    with bench.running(HEAVY) as runtime:
        runtime.step(0.2)
        arrived = 0
        while arrived < 100:
            arrived += runtime.step(0.2)
        reader = runtime._storage.reader()
        known = reader.execute('select count(*) from "input".phones').fetchall()[0][0]
        events = reader.execute('select count(*) from "input".calls').fetchall()[0][0]

    assert known == NUMBERS
    assert events < 400
