"""The SQL access point on a real Kafka: what is published is asked for, killed or not."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager

import psutil
import pytest
from confluent_kafka import Producer

from mesh.backbone.registry import Registry
from mesh.contract.sql import SQL
from mesh.sql.follower import Follower
from mesh.sql.limits import missing
from mesh.sql.shelf import Shelf
from mesh.testing import open_workbench
from tests.life import ROOT, opened, wait_until
from tests.stream import CALLS, PRODUCT, calls, ids_of, run

pytestmark = [
    pytest.mark.broker,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux"),
]


@contextmanager
def following(bench, folder):
    """The table of calls, kept in *folder*, and what keeps it."""
    contract = bench.contract(CALLS)
    with Registry(bench.backbone.endpoint) as registry:
        shelf = Shelf(folder, [contract], registry.schema)
        said: list[str] = []
        follower = Follower(bench.backbone.endpoint, bench.principal(SQL), shelf, said.append)
        try:
            yield shelf, follower
        finally:
            follower.close()
            shelf.close()


def settle(bench, shelf, follower, count):
    """Step until the table of calls has *count* rows and nothing waits."""
    topic = bench.contract(CALLS).topic

    def is_settled():
        follower.step(0.1)
        return topic in shelf.tables and not follower.lag and shelf.tables[topic].count() == count

    wait_until(is_settled)
    return shelf.tables[topic]


def ids_in(table):
    rows = table._connection.execute(f"select call_id::varchar from {table._rows}").fetchall()
    return sorted(id_ for (id_,) in rows)


def said(bench, count, start=0):
    """Have the product publish *count* calls."""
    bench.feed(PRODUCT, calls(count, start))
    run(bench, count)


def test_a_table_has_what_was_published_goes_on_and_loses_what_was_deleted(workbench, tmp_path):
    said(workbench, 60)
    with following(workbench, tmp_path) as (shelf, follower):
        settle(workbench, shelf, follower, 60)
    said(workbench, 40, 60)
    with following(workbench, tmp_path) as (shelf, follower):
        follower._look()
        assert follower.lag >= 40
        table = settle(workbench, shelf, follower, 100)
        wanted = ids_of(calls(100))
        assert ids_in(table) == wanted

        producer = Producer(workbench.backbone.endpoint.client(workbench.principal(PRODUCT)))
        found = next(m for m in workbench.messages(table.contract.topic) if m.key())
        producer.produce(table.contract.topic, None, found.key(), partition=found.partition())
        producer.flush(20)
        table = settle(workbench, shelf, follower, 99)
        assert ids_in(table) == [each for each in wanted if each != found.key().decode()]


def test_a_topic_that_is_made_anew_is_another_table(workbench, tmp_path):
    topic = workbench.contract(CALLS).topic
    said(workbench, 20)
    with following(workbench, tmp_path) as (shelf, follower):
        old = settle(workbench, shelf, follower, 20)
        messages = [each for each in workbench.messages(topic) if each.value() is not None]
        admin = workbench.backbone.administrator()
        admin.remove_topic(topic)
        wait_until(lambda: topic not in admin.topic_partitions())
        workbench.provision()
        producer = Producer(workbench.backbone.endpoint.client(workbench.principal(PRODUCT)))
        for each in messages[:5]:
            producer.produce(topic, each.value(), each.key())
        producer.flush(20)
        new = settle(workbench, shelf, follower, 5)

        assert new.topic_id != old.topic_id
        assert ids_in(new) == sorted(each.key().decode() for each in messages[:5])


@pytest.fixture(scope="module")
def mesh(backbone, tmp_path_factory):
    """A mesh on the session's Kafka, up, with calls and contracts."""
    folder = tmp_path_factory.mktemp("sql")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as found:
            found.run("up")
            found.run("feed", "call-center", "--calls", "300")
            found.run("feed", "contracts", "--records", "2000")
            wait_until(lambda: found.has_calls(300))
            wait_until(lambda: found.service("sql")["lag"] == 0)
            yield found


@pytest.fixture(scope="module")
def names(mesh):
    """What ada's tables are called, by their ports: a workbench has domains of its own."""
    tables = json.loads(mesh.run("sql", "--tables", "--json", "--as", "ada"))
    return {each["port"]: each["name"] for each in tables}


def asked(mesh, sql, who="ada"):
    """The answer to a query."""
    return json.loads(mesh.result("sql", sql, "--json", "--as", who).stdout)


def test_ports_of_several_products_are_one_query(mesh, names):
    ports = ("call-center.calls", "key-ring.links", "contracts.contracts")
    calls_, links, contracts = (names[each] for each in ports)
    wait_until(lambda: mesh.service("key-ring")["lag"] == 0 and mesh.service("sql")["lag"] == 0)
    sql = (
        f"select count(*), count(distinct contract_number) from {calls_} c"
        f" join {links} l on l.relation = 'phone-number-contract' and l.holds"
        " and l.from_id = c.phone_number"
        " and c.started_at >= coalesce(l.valid_from, c.started_at)"
        " and c.started_at < coalesce(l.valid_to, 'infinity')"
        f" join {contracts} k on k.contract_number = l.to_id"
    )
    answer = asked(mesh, sql)

    assert answer["rows"][0][0] >= answer["rows"][0][1] > 0
    assert sum(answer["offsets"][topic]["0"] > 0 for topic in answer["offsets"]) >= 3
    assert asked(mesh, sql)["cache"] == "hit"


def test_what_is_read_at_the_door_is_asked_for_in_sql(mesh, names, tmp_path):
    rows = json.loads(mesh.run("read", "calls", "--all", "--json", "--as", "ada"))["rows"]
    out = tmp_path / "calls.csv"
    mesh.run("sql", f"from {names[CALLS]} order by call_id", "--out", str(out), "--as", "ada")

    assert sorted(asked(mesh, f"from {names[CALLS]}")["rows"]) == sorted(rows)
    assert len(out.read_text().splitlines()) == len(rows) + 1


def test_the_command_says_what_is_wrong_and_who_may_not(mesh, names):
    calls_ = names[CALLS]
    assert "does not exist" in mesh.run("sql", f"from {calls_}", "--as", "mallory", code=2)
    assert "select" in mesh.run("sql", "drop view x", "--as", "ada", code=2)
    assert "say one of a query" in mesh.run("sql", "--as", "ada", code=2)
    assert "a,b\n1,2" in mesh.run("sql", "select 1 as a, 2 as b", "--csv", "--as", "ada")
    assert "SCAN" in mesh.run("sql", f"from {calls_}", "--explain", "--as", "ada")
    assert json.loads(mesh.run("sql", "--tables", "--json", "--as", "mallory")) == []


def test_a_service_that_is_killed_leaves_nobody_and_goes_on(mesh, names):
    count = f"select count(*) from {names[CALLS]}"
    before = asked(mesh, count)["rows"][0][0]
    service = psutil.Process(mesh.service("sql")["pid"])
    children = service.children(recursive=True)
    os.kill(service.pid, signal.SIGKILL)
    assert children
    mesh.run("feed", "call-center", "--calls", str(before + 200))

    psutil.wait_procs(children, timeout=20)
    assert not any(each.is_running() for each in children)
    wait_until(lambda: mesh.service("sql")["state"] == "running")
    wait_until(lambda: asked(mesh, count).get("rows") == [[before + 200]])
