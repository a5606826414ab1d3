"""Tests that a batch which makes too much for one transaction is taken in by halves."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from mesh.contract.project import load_project
from mesh.product import fanout, transform
from mesh.product.engine import Engine
from mesh.product.fanout import halves, taken_in
from mesh.product.intake import Arrival, Checker, Intake
from mesh.product.plan import Plan, plan_product
from mesh.product.position import Batch
from mesh.product.rejection import Rejection
from mesh.product.retry import Ask, Retries
from mesh.product.storage import Storage
from mesh.product.transform import TooMuch
from tests.arrivals import Registered, arrival
from tests.repository import ROOT

MANY = "select * exclude (i), date_sub('second', started_at, ended_at) as duration_s from ({})"
TOPIC = "priv.customer-service.call-center.finished-calls.v1"
# A call that lasts so many seconds is so many rows: what a message makes is its own business.
SQL = MANY.format(
    "select *, unnest(range(date_sub('second', started_at, ended_at))) as i from new_finished_calls"
)


@pytest.fixture
def plan() -> Plan:
    """The call center, with a row for each second of a call."""
    found = plan_product(load_project(ROOT), "call-center")
    output = found.events[0]
    return replace(found, events=(replace(output, query=replace(output.query, sql=SQL)),))


@pytest.fixture
def made(plan, tmp_path, monkeypatch):
    """An engine whose transactions take ten rows."""
    for module in (fanout, transform):
        monkeypatch.setattr(module, "MOST_ROWS", 10)
    storage = Storage.open(tmp_path / "storage" / "storage.duckdb", plan.tables)
    yield Engine(plan, storage, Registered())
    storage.close()


def taken(made: Engine, arrivals: list[Arrival], offsets: dict[str, dict[int, int]]):
    """How many messages each batch has, and the offsets after it."""
    batches = list(taken_in(made.take_in, arrivals, offsets))
    return [(each.outbox.num_rows, each.offsets) for each in batches]


def test_a_batch_that_makes_too_much_is_published_in_parts_in_order(plan, made):
    found = taken(made, [arrival(plan, [4, 4, 4, 4, 9])], {TOPIC: {0: 7}})

    offsets = [{TOPIC: {0: each}} for each in (2, 3, 4, 7)]
    assert found == list(zip([8, 4, 4, 9], offsets, strict=True))


def test_all_that_one_message_causes_is_in_one_transaction(plan, made):
    batches = list(taken_in(made.take_in, [arrival(plan, [3, 10, 3])], {TOPIC: {0: 3}}))

    causes = [{id_.split("/")[2] for id_ in each.outbox["id"].to_pylist()} for each in batches]
    assert causes == [{"0"}, {"1"}, {"2"}]


def test_a_message_that_makes_too_much_alone_is_set_aside_and_stops_nothing(plan, made):
    batches = list(
        taken_in(made.take_in, [arrival(plan, [2, 11, 3, 1_000_000, 1])], {TOPIC: {0: 5}})
    )

    outbox = pa.concat_tables([each.outbox for each in batches])
    topics = outbox["topic"].to_pylist()
    rejected = plan.events[0].contract.rejected_topic
    assert topics.count(plan.events[0].contract.topic) == 6
    assert topics.count(rejected) == 2
    rules = made._storage.connection.execute("select rule, count_rejected from mesh.quality")
    assert rules.fetchall() == [("fan-out", 2)]


def test_what_is_too_much_does_not_depend_on_how_batches_are_cut(plan, made):
    seconds = [10, 11, 10, 11]

    whole = taken(made, [arrival(plan, seconds)], {TOPIC: {0: 4}})

    assert [count for count, _ in whole] == [10, 1, 10, 1]


def test_inputs_that_came_together_are_parted_and_neither_is_lost(plan, made):
    both = [arrival(plan, [9]), arrival(plan, [9], partition=1)]

    assert taken(made, both, {TOPIC: {0: 1, 1: 1}}) == [
        (9, {TOPIC: {0: 1}}),
        (9, {TOPIC: {0: 1, 1: 1}}),
    ]


def test_tombstones_that_delete_too_much_are_parted_too(plan, made):
    taken(made, [arrival(plan, [6, 6, 6])], {TOPIC: {0: 3}})
    later = arrival(plan, [], (0, 1, 2), offset=3)

    found = taken(made, [later], {TOPIC: {0: 6}})

    assert [count for count, _ in found] == [6, 6, 6]
    left = made._storage.connection.execute("select count(*) from main.calls").fetchall()
    assert left == [(0,)]


def test_a_rejection_stays_with_its_message_when_a_batch_is_parted(plan, made):
    lost = Rejection(
        topic=TOPIC, partition=0, offset=2, key=b"k", value=b"v", field=None, rule="key", reason="-"
    )
    came = arrival(plan, [9, 9, 0])

    batches = list(taken_in(made.take_in, [replace(came, rejections=(lost,))], {TOPIC: {0: 3}}))

    rejected = [
        plan.inputs[0].rejected_topic in each.outbox["topic"].to_pylist() for each in batches
    ]
    assert rejected == [False, True]


def test_a_batch_of_large_rows_is_parted_by_its_bytes(plan, made, monkeypatch):
    monkeypatch.setattr(fanout, "MOST_BYTES", 1_000)

    found = taken(made, [arrival(plan, [4, 4])], {TOPIC: {0: 2}})

    assert [count for count, _ in found] == [4, 4]


def test_without_the_bound_nothing_is_parted(plan, made, monkeypatch):
    for module in (fanout, transform):
        monkeypatch.setattr(module, "MOST_ROWS", 1_000)

    assert [count for count, _ in taken(made, [arrival(plan, [9, 9])], {TOPIC: {0: 2}})] == [18]


def test_too_much_of_one_message_by_several_ports_is_not_tried_for_ever(plan, made):
    output = plan.events[0]
    twice = replace(plan, events=(output, output))
    made._plan = twice

    assert [count for count, _ in taken(made, [arrival(twice, [9])], {TOPIC: {0: 1}})] == [18]
    with pytest.raises(TooMuch):
        made.take_in([arrival(twice, [9, 9])], {TOPIC: {0: 2}})


def test_what_is_asked_for_once_more_moves_its_own_topic_on_with_the_last_part_only(plan):
    seen = []

    def take_in(arrivals: list[Arrival], offsets: dict[str, dict[int, int]]) -> list[Batch]:
        if arrivals[0].causes.num_rows > 1:
            raise TooMuch
        seen.append((arrivals[0].asks, offsets))
        return []

    came = replace(arrival(plan, [1, 1, 1]), asks=("a", "b", "c"))

    assert list(taken_in(take_in, [came], {"retry": {0: 9}})) == []
    assert seen == [(("a",), {}), (("b",), {}), (("c",), {"retry": {0: 9}})]


def test_an_ask_that_says_nothing_beside_others_keeps_its_rejection_when_they_are_halved(plan):
    found = asked(plan, [*range(4)])

    first, second = halves(found)

    assert [len(each.rejections) for each in (*first, *second) if not each.asks] == [1]
    assert sum(each.causes.num_rows for each in (*first, *second)) == 4


def test_halving_beside_an_ask_that_says_nothing_comes_to_an_end(plan):
    found = [*asked(plan, [5]), *asked(plan, [6])[1:]]
    taken = []

    def take_in(arrivals, offsets):
        if sum(each.causes.num_rows for each in arrivals) > 1:
            raise TooMuch("")
        taken.extend(arrivals)
        return []

    list(taken_in(take_in, found, {}))

    assert sum(each.causes.num_rows for each in taken) == 2
    assert sum(len(each.rejections) for each in taken if not each.asks) == 1


def asked(plan: Plan, offsets: list[int]) -> list[Arrival]:
    """What a retry topic says: one ask that says nothing, and one for each of *offsets*."""
    source = plan.inputs[0]

    def message(offset, headers=()):
        at = (TIMESTAMP_CREATE_TIME, 1)
        return Message(
            topic=source.retry_topic,
            partition=0,
            offset=offset,
            key=b"k",
            headers=[*headers],
            timestamp=at,
        )

    asks = [
        Ask(origin=(source.contract.topic, 0, offset), key=b"k", value=None, sent_ms=1)
        for offset in offsets
    ]
    said = [message(offset, ask.headers()) for offset, ask in enumerate(asks, 1)]
    return Retries(Intake(source, Registered(), Checker())).arrivals([message(0), *said])
