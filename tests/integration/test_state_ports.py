"""Tests of state ports: the topic, the table and the whole query say the same."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest

from mesh.errors import InvalidFile
from mesh.product import fetch
from mesh.product.plan import plan_product
from tests.stats import (
    CALLERS,
    HEAVY,
    NUMBERS,
    PHONES,
    PHONES_SQL,
    STATS,
    assert_true,
    compacted,
    counts,
    erase,
    expected,
    feed,
    few,
    history,
    rewrite,
    run,
    spoil,
    storage_of,
    table,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


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


def test_a_backlog_of_events_does_not_keep_state_waiting(bench, monkeypatch):
    run(bench, HEAVY)
    monkeypatch.setattr(fetch, "BATCH_ROWS", 10)
    feed(bench, 800)
    run(bench, STATS)
    counted = 'select (select sum(calls) from "input".phones), (select count(*) from "input".calls)'
    with bench.running(HEAVY) as runtime:
        reader = runtime._storage.reader()
        deadline = time.monotonic() + 60
        state = events = 0
        while state != 800 and time.monotonic() < deadline:
            runtime.step(0.2)
            state, events = reader.execute(counted).fetchall()[0]

    # All that the state says is known while most of the events still wait.
    assert state == 800
    assert 0 < events < 600
