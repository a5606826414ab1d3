"""`mesh replay`: a storage made anew from the topics, by the command, as a person would."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import duckdb
import pytest
from confluent_kafka import TopicPartition

from mesh.control.holds import held_by
from tests.life import opened, wait_until
from tests.stats import (
    CALLERS,
    HEAVY,
    PHONES,
    STATS,
    assert_true,
    counts,
    expected,
    feed,
    few,
    history,
    open_stats,
)
from tests.stats import run as run_stats
from tests.stream import PRODUCT, STAGING, assert_each_once, calls, published_ids, run, stored_ids

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def bench(backbone, tmp_path):
    """A project with both products of state ports."""
    with open_stats(backbone, tmp_path) as found:
        yield found


def replay(bench, product: str, *more: str, code: int = 0) -> str:
    """Replay by the command; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "mesh", "replay", product, "--yes", *more],
        env=bench.environment(),
        cwd=bench.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def remove_before(bench, contract_id: str, offset: int) -> None:
    """Have a topic lose what stands before *offset* in each partition."""
    topic, client = bench.contract(contract_id).topic, bench.backbone.administrator()._client
    places = [TopicPartition(topic, number, offset) for number in range(4)]
    for future in client.delete_records(places).values():
        future.result()


def test_a_replayed_product_has_the_same_rows_and_says_nothing_again(workbench):
    workbench.feed(PRODUCT, calls(300))
    run(workbench, 300)
    storage = workbench.home.storage(PRODUCT)
    with duckdb.connect(str(storage)) as connection:  # as after a fault of ours
        connection.execute("delete from main.calls where duration_s > 60")

    done = json.loads(replay(workbench, PRODUCT, "--json"))

    assert done["product"] == PRODUCT
    assert done["rows"]["calls"] == 300
    assert done["gaps"] == []
    assert_each_once(workbench, 300)
    assert [each.name for each in storage.parent.iterdir()] == ["storage.duckdb"]


def test_replayed_state_ports_are_true_and_say_nothing_again(bench):
    feed(bench, 40)
    for product in (STATS, HEAVY):
        run_stats(bench, product)
    before = len(history(bench, PHONES)), len(history(bench, CALLERS))

    for product in (STATS, HEAVY):
        replay(bench, product)

    assert (len(history(bench, PHONES)), len(history(bench, CALLERS))) == before
    assert_true(bench, PHONES, CALLERS)
    feed(bench, 40, 40)
    for product in (STATS, HEAVY):
        run_stats(bench, product)
    assert counts(bench) == expected(few(80))


def test_events_that_a_state_port_needs_and_that_are_gone_forbid_it_before_it_begins(bench):
    feed(bench, 40)
    run_stats(bench, STATS)
    storage = bench.home.storage(STATS)
    remove_before(bench, "call-center.calls", 2)
    before = storage.read_bytes(), storage.stat().st_ino

    said = replay(bench, STATS, code=1)

    topic = bench.contract("call-center.calls").topic
    for number in range(4):
        assert f"{topic} [{number}] has lost offsets 0 to 2, of which {PHONES} is made" in said
    assert "nothing was touched" in said
    assert (storage.read_bytes(), storage.stat().st_ino) == before
    run_stats(bench, STATS)
    assert counts(bench) == expected(few(40))


def test_events_that_only_an_event_port_needed_are_told_and_stay_published(workbench):
    workbench.feed(PRODUCT, calls(100))
    run(workbench, 100)
    remove_before(workbench, STAGING, 5)
    before = published_ids(workbench)

    done = json.loads(replay(workbench, PRODUCT, "--json"))

    topic = workbench.contract(STAGING).topic
    assert (
        f"{topic} [0] has lost offsets 0 to 5: what was made of them stays published"
        in (done["gaps"])
    )
    assert published_ids(workbench) == before
    assert len(stored_ids(workbench)) == 100 - 4 * 5 == done["rows"]["calls"]


def test_what_is_not_published_yet_forbids_it(workbench):
    workbench.feed(PRODUCT, calls(20))
    run(workbench, 20)
    with workbench.running(PRODUCT) as runtime:
        workbench.settle(runtime)
        workbench.feed(PRODUCT, calls(20, 20))
        runtime._publish = lambda *_, **__: None
        workbench.settle(runtime, 20)

    assert "let the product run first" in replay(workbench, PRODUCT, code=1)
    run(workbench, 0)
    assert_each_once(workbench, 40)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_cut_off_leaves_a_storage_that_goes_on(
    workbench, monkeypatch, number, tmp_path
):
    workbench.feed(PRODUCT, calls(200))
    run(workbench, 200)
    storage = workbench.home.storage(PRODUCT)
    script = (
        "import os, signal, sys\n"
        "from mesh.wiring import replay\n"
        "from mesh.cli.main import main\n"
        f"replay.run_until_recovered = lambda *_: os.kill(os.getpid(), {int(number)})\n"
        f"sys.argv = ['mesh', 'replay', '{PRODUCT}', '--yes']\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=workbench.environment(),
        cwd=workbench.root,
        capture_output=True,
        check=False,
    )

    assert done.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), done.stderr
    assert held_by(workbench.home, PRODUCT) is None
    assert (storage.with_name("storage.old").exists()) == (number == signal.SIGKILL)
    if number == signal.SIGINT:
        assert len(stored_ids(workbench)) == 200
    workbench.feed(PRODUCT, calls(50, 200))
    run(workbench, 50)
    assert_each_once(workbench, 250)
    replay(workbench, PRODUCT)
    assert not storage.with_name("storage.old").exists()
    assert_each_once(workbench, 250)


def test_a_replay_while_the_mesh_runs_stops_one_product_and_it_goes_on(tmp_path, one_product):
    with opened(tmp_path / "home", MESH_PROJECT=one_product) as mesh:
        mesh.run("up")
        mesh.run("feed", "call-center", "--calls", "500")
        wait_until(lambda: mesh.has_calls(500))
        before = mesh.service("call-center")
        said = mesh.run("replay", "call-center", "--yes")

        assert "call-center is replayed, in " in said
        assert "stopping call-center" in said
        wait_until(lambda: mesh.service("call-center")["state"] == "running")
        after = mesh.service("call-center")
        assert after["pid"] != before["pid"]
        assert after["restarts"] == 0
        mesh.run("feed", "call-center", "--calls", "700")
        wait_until(lambda: mesh.has_calls(700))


@pytest.mark.long
def test_a_mesh_that_is_stopped_is_started_for_a_replay_and_stopped_again(tmp_path, one_product):
    with opened(tmp_path / "home", MESH_PROJECT=one_product) as mesh:
        mesh.run("up")
        mesh.run("feed", "call-center", "--calls", "500")
        wait_until(lambda: mesh.has_calls(500))
        mesh.run("down")
        done = mesh.result("replay", "call-center", "--yes", "--json")

        assert json.loads(done.stdout)["rows"]["calls"] == 500
        assert mesh.status()["state"] == "stopped"
