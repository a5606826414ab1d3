"""The key ring on a real broker: new relations, one writer each, corrections, erasure, recovery."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from confluent_kafka import KafkaError

from mesh.control.drills import try_to_write
from mesh.product import family_watch
from mesh.testing import open_workbench
from mesh.testing.messages import send_all
from tests.relations import RING, domain_of, running_ring, state, statement, write_relation
from tests.repository import ROOT

pytestmark = pytest.mark.broker

NUMBERS, EMAILS = "test-sales.line-contract", "test-marketing.email-address-contract"
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with a relation between phone numbers and contracts, stated by a test's product."""
    some = ["call-center", "key-ring"]
    with open_workbench(backbone, source=ROOT, folder=tmp_path, products=some) as bench:
        ends = ("phone-number", "contract-number")
        write_relation(bench.root, NUMBERS, ends, "many-to-one", domain_of(bench, "sales"))
        bench.provision()
        yield bench


def links(bench) -> dict[str, dict]:
    return {row["statement_id"]: row for row in bench.rows(RING, "links")}


def settle(bench, runtime, count: int) -> None:
    bench.settle(runtime, count)


def test_a_relation_that_is_new_joins_a_running_key_ring_without_an_edit(bench, monkeypatch):
    monkeypatch.setattr(family_watch, "LOOK_S", 0.1)
    numbers = bench.contract(NUMBERS)
    with running_ring(bench) as runtime:
        state(bench, numbers, statement("l1", "+12025550101", "C-000000018"))
        settle(bench, runtime, 1)
        ends = ("email-address", "contract-number")
        write_relation(bench.root, EMAILS, ends, "many-to-one", domain_of(bench, "marketing"))
        for _ in range(5):
            runtime.step(0.1)
        assert len(runtime.plan.inputs) == 1, "it joins only once the broker lets it be read"
        bench.provision()
        emails = bench.contract(EMAILS)
        places = state(bench, emails, statement("e1", "ada@telco.example", "C-000000018"))
        deadline = time.monotonic() + 30
        while len(runtime.plan.inputs) == 1 and time.monotonic() < deadline:
            runtime.step(0.1)
        settle(bench, runtime, 1)

    found = {row["relation"]: row for row in links(bench).values()}
    assert found["email-address-contract"]["authority"] == "test-marketing"
    mark = found["email-address-contract"]
    assert (mark["topic"], [(mark["partition"], mark["offset"])]) == (emails.topic, places)
    assert found["line-contract"]["holds"]


def test_only_the_authority_writes_a_relation(bench):
    write_relation(
        bench.root, EMAILS, ("email-address", "contract-number"), "many-to-one",
        domain_of(bench, "marketing"),
    )  # fmt: skip
    bench.provision()
    endpoint, topic = bench.backbone.endpoint, bench.contract(NUMBERS).topic

    for other in ("test-marketing", RING, "call-center", "ada"):
        answer = try_to_write(endpoint, bench.principal(other), [topic])
        assert answer == {topic: KafkaError.TOPIC_AUTHORIZATION_FAILED}, other
    assert try_to_write(endpoint, bench.principal("test-sales"), [topic]) == {topic: None}


def test_corrections_and_contradictions_are_told_apart_and_a_lost_storage_comes_back(bench):
    numbers = bench.contract(NUMBERS)
    old = statement("l1", "+12025550101", "C-000000018")
    other = statement("l2", "+12025550101", "C-000000026", valid_from=MARCH)
    closed = statement("l1", "+12025550101", "C-000000018", valid_to=MARCH)
    with running_ring(bench) as runtime:
        state(bench, numbers, old)
        state(bench, numbers, other)
        settle(bench, runtime, 2)
        conflicts = runtime._storage.connection.execute("select holds from main.links").fetchall()
        assert sorted(conflicts) == [(False,), (True,)]
        state(bench, numbers, closed)
        settle(bench, runtime, 1)
    before = links(bench), bench.rows(RING, "conflicts")
    bench.home.storage(RING).unlink()
    with running_ring(bench) as runtime:
        settle(bench, runtime, 0)

    assert (links(bench), bench.rows(RING, "conflicts")) == before
    assert {name: row["holds"] for name, row in before[0].items()} == {
        old["statement_id"]: False, other["statement_id"]: True, closed["statement_id"]: True,
    }  # fmt: skip
    (conflict,) = before[1]
    assert conflict["statement_id"] == other["statement_id"]
    assert conflict["holder_statement_id"] == old["statement_id"]
    assert conflict["known_to"] == before[0][closed["statement_id"]]["known_from"]


def test_an_erased_statement_is_no_link_any_more(bench):
    numbers = bench.contract(NUMBERS)
    write_relation(
        bench.root, EMAILS, ("email-address", "contract-number"), "many-to-one",
        domain_of(bench, "marketing"),
    )  # fmt: skip
    bench.provision()
    # At the same partition and offset of its topic, as every first message is.
    gone, stays = (statement("l1", one, "C-000000018") for one in ("+12025550101", "a@b.example"))
    with running_ring(bench) as runtime:
        state(bench, numbers, gone)
        state(bench, bench.contract(EMAILS), stays)
        settle(bench, runtime, 2)
        client = bench.backbone.endpoint.client(bench.principal(numbers.product))
        key = gone["statement_id"].encode()
        send_all(client, numbers.topic, [{"key": key, "value": None}])
        settle(bench, runtime, 1)

    assert set(links(bench)) == {stays["statement_id"]}
    assert [row["from_id"] for row in bench.rows(RING, "statements", "input")] == ["a@b.example"]
    keys = [
        m.key() for m in bench.messages(bench.contract("key-ring.links").topic) if m.value() is None
    ]
    assert len(keys) == 1


def test_a_statement_about_what_is_no_identifier_is_set_aside(bench):
    numbers = bench.contract(NUMBERS)
    good = statement("l1", "+12025550101", "C-000000018")
    bad = [
        statement("l2", "12025550102", "C-000000018"),
        statement("l3", "+1", "C-000000018"),
        statement("l4", "+12025550103", "contract 18"),
    ]
    with running_ring(bench) as runtime:
        state(bench, numbers, *bad, good)
        settle(bench, runtime, 4)
        topic = runtime.plan.families[0].rejected_topic

    assert list(links(bench)) == [good["statement_id"]]
    rejected = bench.decoded(bench.messages(topic))
    assert [(row["rule"], row["field"]) for row in rejected] == [
        ("identifier", "from_id"), ("identifier", "from_id"), ("identifier", "to_id"),
    ]  # fmt: skip
