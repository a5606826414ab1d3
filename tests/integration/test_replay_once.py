"""Tests of a replay: what was set aside goes through once, whatever is asked, killed or lost."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from mesh.backbone.wire import frame
from mesh.contract.types import avro_schema
from mesh.control.drills import try_to_write
from mesh.product.asking import Asking
from mesh.product.plan import plan_product
from mesh.product.relay import RelayFailed
from mesh.testing.messages import send_all
from tests.replays import (
    allow_the_queue,
    ask,
    assert_once,
    entries,
    of_a_new_queue,
    put,
    quarantine,
    said_of,
    send_among_good,
    states,
)
from tests.stream import (
    PRODUCT,
    STAGING,
    FaultyRelay,
    calls,
    ids_of,
    message,
    published,
    quality,
    run,
    set_aside,
    stored_ids,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]

ALL = ids_of(calls(3)) + ids_of(calls(1, 50))
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


# What is set aside, and what becomes of it.


def test_what_is_set_aside_is_listed_with_its_bytes_origin_rule_and_reason(workbench):
    row = calls(1, 50).to_pylist()[0]
    whole = message(workbench, row)["value"]
    key = row["call_id"].encode()
    bad = [
        (whole[:-3], "message"),
        (frame(2**32 - 1, whole[5:]), "schema"),
        (b"\x01" + whole[1:], "message"),
        (of_a_new_queue(workbench)["value"], "queue.enum"),
    ]

    places = send_among_good(workbench, *({"key": key, "value": value} for value, _ in bad))

    topic = workbench.contract(STAGING).topic
    found = {each.origin: each for each in entries(workbench)}
    raw = {
        each.name[1]: each
        for each in quarantine(workbench).originals([each.name for each in found.values()])
    }
    for place, (value, rule) in zip(places, bad, strict=True):
        entry, original = found[topic, *place], raw[topic, *place]
        assert (original.key, original.value) == (key, value)
        assert (entry.port, entry.rule, entry.state) == (STAGING, rule, "waiting")
        assert entry.reason
        assert entry.size == len(value)


def test_a_rule_that_is_relaxed_lets_its_message_through_once_with_the_id_it_would_have_had(
    workbench,
):
    bad = of_a_new_queue(workbench)
    (place,) = send_among_good(workbench, {**bad, "headers": {"traceparent": TRACE}})
    sent = [
        m for m in workbench.messages(workbench.contract(STAGING).topic) if m.key() == bad["key"]
    ]
    allow_the_queue(workbench)
    counted = quality(workbench)
    assert ask(workbench) == {}
    assert ask(workbench) == {}
    assert states(workbench) == ["asked"]

    run(workbench, 2)
    ask(workbench)
    run(workbench, 1)

    assert_once(workbench)
    assert states(workbench) == ["replayed"]
    (headers,) = said_of(workbench, place)
    assert headers["ce_id"].decode().endswith("/0")
    millis = sent[0].timestamp()[1] % 1000
    assert f".{millis:03}000Z" in headers["ce_time"].decode()
    assert headers["traceparent"].decode().split("-")[1] == TRACE.split("-")[1]
    assert quality(workbench) == counted


def test_a_schema_that_is_registered_meanwhile_lets_its_message_through(workbench):
    contract = workbench.contract(STAGING)
    row = calls(1, 50).to_pylist()[0]
    whole = message(workbench, row)["value"]
    mark = workbench.root.parent.name
    schema = {**avro_schema(contract), "doc": mark}
    # Ids count up, so that the next one is known before it is given.
    known, _ = workbench.registry.register(f"{mark}-before", {**schema, "doc": "before"})
    send_among_good(
        workbench, {"key": row["call_id"].encode(), "value": frame(known + 1, whole[5:])}
    )
    assert [each.rule for each in entries(workbench)] == ["schema"]
    assert workbench.registry.register(f"{mark}-after", schema)[0] == known + 1
    ask(workbench)

    run(workbench, 1)

    assert_once(workbench)


def test_what_still_breaks_the_contract_is_rejected_again_and_counted_once(workbench):
    (place,) = send_among_good(workbench, of_a_new_queue(workbench))
    counted = quality(workbench)
    put(workbench, "contracts/finished_calls.odcs.yaml", "'^\\+[1-9][0-9]{6,14}$'", "'^never$'")
    put(workbench, "contracts/finished_calls.odcs.yaml", "- value: general", "- value: nonsense")
    ask(workbench)
    run(workbench, 1)
    ask(workbench)
    run(workbench, 1)

    (entry,) = entries(workbench)
    assert (entry.state, entry.rule) == ("rejected again", "phone_number.pattern")
    assert quality(workbench) == counted
    assert said_of(workbench, place) == []
    tried = [each for each in set_aside(workbench) if each["attempt"] is not None]
    assert [(each["key"], each["value"]) for each in tried] == [(None, None)] * 2


def test_a_call_that_was_erased_since_is_superseded(workbench):
    bad = [of_a_new_queue(workbench, 50), of_a_new_queue(workbench, 51)]
    gone, _ = send_among_good(workbench, *bad)
    # As nobody would write it, and yet it means the same call.
    tombstone = {"key": bad[0]["key"].upper(), "value": None, "partition": gone[0]}
    workbench.send(PRODUCT, [tombstone])
    run(workbench, 1)
    allow_the_queue(workbench)
    ask(workbench)

    run(workbench, 2)

    assert sorted(states(workbench)) == ["replayed", "superseded"]
    assert said_of(workbench, gone) == []
    assert bad[0]["key"].decode() not in stored_ids(workbench)
    assert bad[1]["key"].decode() in stored_ids(workbench)


def test_a_call_that_is_erased_in_the_batch_of_its_replay_does_not_come_back(workbench):
    bad = of_a_new_queue(workbench)
    send_among_good(workbench, bad)
    allow_the_queue(workbench)
    ask(workbench)
    workbench.send(PRODUCT, [{"key": bad["key"], "value": None}])

    run(workbench, 2)

    assert bad["key"].decode() not in stored_ids(workbench)
    rows = {m.key(): m.value() for m in published(workbench)}
    assert rows.get(bad["key"]) is None


def test_what_was_cut_is_refused_and_says_so(workbench):
    send_among_good(workbench, {"key": b"k", "value": b"\x01" * 950_000})

    (reason,) = ask(workbench).values()

    assert "only a part" in reason
    assert states(workbench) == ["waiting"]


def test_junk_on_the_retry_topic_is_set_aside_and_stops_nothing(workbench):
    (place,) = send_among_good(workbench, of_a_new_queue(workbench))
    allow_the_queue(workbench)
    source = plan_product(workbench.project(), PRODUCT).inputs[0]
    client = workbench.backbone.endpoint.client(workbench.principal(PRODUCT))
    huge = {"mesh-origin": f'["{source.contract.topic}", 0, {2**70}]', "mesh-sent-ms": "1"}
    send_all(client, source.retry_topic, [{"value": b"junk"}, {"value": b"", "headers": huge}])
    first = next(each for each in entries(workbench) if each.origin[1:] == place)
    ask(workbench, PRODUCT, first)

    run(workbench, 3)

    assert_once(workbench)
    assert sorted(states(workbench)) == ["replayed", "waiting", "waiting"]


def test_the_broker_lets_only_the_product_write_its_retry_topic(workbench):
    topic = plan_product(workbench.project(), PRODUCT).inputs[0].retry_topic

    answers = {
        name: try_to_write(workbench.backbone.endpoint, workbench.principal(name), [topic])[topic]
        for name in ("telephony", "grace", "mallory", PRODUCT)
    }

    assert answers.pop(PRODUCT) is None
    assert set(answers.values()) == {KafkaError.TOPIC_AUTHORIZATION_FAILED}


def test_a_replay_that_says_nothing_is_done_even_if_its_first_publication_failed(workbench):
    send_among_good(workbench, of_a_new_queue(workbench))
    allow_the_queue(workbench)
    (entry,) = entries(workbench)
    ask(workbench, PRODUCT, entry)
    run(workbench, 1)
    ask(workbench, PRODUCT, entry)
    with workbench.running(PRODUCT) as runtime:
        runtime._relay = FaultyRelay(runtime._relay, ["before"])
        with pytest.raises(RelayFailed):
            workbench.settle(runtime, 1)

    run(workbench, 0)

    plan = plan_product(workbench.project(), PRODUCT)
    endpoint, principal = workbench.backbone.endpoint, workbench.principal(PRODUCT)
    assert Asking(plan, quarantine(workbench), endpoint, principal).has_taken_all()
