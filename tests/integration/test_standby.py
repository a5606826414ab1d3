"""Two processes of one product: a standby that takes over, and one on another storage."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mesh.control.running import find_standbys
from mesh.product.beacon import Beacon
from mesh.product.plan import plan_product, position_topic
from mesh.product.relay import Relay, RelayFailed
from tests.life import wait_until
from tests.stream import PRODUCT, assert_each_once, calls, published_ids, run

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TAKE_OVERS = 5
LONGEST_S = 5.0


class Process:
    """One process of the product, and what it has said."""

    def __init__(self, bench, log: Path, *arguments: str, home: Path | None = None) -> None:
        self.log = log
        own = {"MESH_HOME": str(home)} if home else {}
        with log.open("wb") as file:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "mesh", "run", PRODUCT, *arguments],
                env={**bench.environment(), **own},
                cwd=bench.root,
                stdout=file,
                stderr=file,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until_said(self, text: str, timeout_s: float = 30) -> None:
        wait_until(lambda: text in self.said or self.child.poll() is not None, timeout_s)
        assert text in self.said, self.said

    def end_by(self, number: signal.Signals) -> int:
        self.child.send_signal(number)
        return self.child.wait(20)


@pytest.fixture
def start(workbench, tmp_path) -> Iterator:
    """Start processes of the product; they are gone at the end."""
    started: list[Process] = []

    def begin(*arguments: str, home: Path | None = None) -> Process:
        log = tmp_path / f"process-{len(started)}.log"
        started.append(Process(workbench, log, *arguments, home=home))
        return started[-1]

    yield begin
    for each in started:
        with suppress(ProcessLookupError):
            each.child.kill()
        each.child.wait()


def test_a_standby_takes_over_within_seconds_of_each_kill(workbench, start, record_property):
    first = start()
    first.until_said(" running")
    took = []
    for number in range(TAKE_OVERS):
        second = start("--standby")
        second.until_said("standby: call-center already runs (pid ")
        workbench.feed(PRODUCT, calls(200, number * 200))
        first.child.kill()
        began = time.monotonic()
        second.until_said(" running", LONGEST_S)
        took.append(time.monotonic() - began)
        first.child.wait()
        first = second
    wait_until(lambda: len(published_ids(workbench)) == TAKE_OVERS * 200)
    assert first.end_by(signal.SIGTERM) == 0

    record_property("take_overs_s", sorted(took))
    assert max(took) < LONGEST_S
    assert_each_once(workbench, TAKE_OVERS * 200)


def test_a_second_on_the_same_storage_is_refused_and_a_standby_is_told_by_status(workbench, start):
    first = start()
    first.until_said(" running")
    second, standby = start(), start("--standby")
    standby.until_said("standby: ")

    assert second.child.wait(30) == 1
    assert f"call-center already runs (pid {first.child.pid}" in second.said
    (told,) = wait_until(lambda: [*find_standbys(workbench.home)])
    assert (told["name"], told["kind"], told["pid"]) == (PRODUCT, "standby", standby.child.pid)
    status = subprocess.run(
        [sys.executable, "-m", "mesh", "status", "--json"],
        env=workbench.environment(),
        cwd=workbench.root,
        capture_output=True,
        check=True,
    )
    assert told in json.loads(status.stdout)["services"]
    assert standby.end_by(signal.SIGTERM) == 0
    assert not list(find_standbys(workbench.home))
    assert first.child.poll() is None


def other_home(workbench, tmp_path: Path) -> Path:
    """A state folder of another host: the same secrets, no storage."""
    home = tmp_path / "elsewhere"
    shutil.copytree(workbench.home.path, home, ignore=shutil.ignore_patterns("products", "run"))
    return home


def test_on_another_storage_a_second_is_refused_and_harms_nobody_until_the_first_is_dead(
    workbench, start, tmp_path
):
    home = other_home(workbench, tmp_path)
    workbench.feed(PRODUCT, calls(100))
    first = start()
    first.until_said(" running")
    second = start(home=home)
    for number in range(1, 6):
        workbench.feed(PRODUCT, calls(100, number * 100))
        time.sleep(0.3)

    assert second.child.wait(40) == 1
    assert f"already runs, on another storage (pid {first.child.pid} on " in second.said
    wait_until(lambda: len(published_ids(workbench)) == 600)
    assert "waiting" not in first.said  # nobody fenced it
    assert first.child.poll() is None

    first.child.kill()
    third = start(home=home)
    third.until_said("recovered up to batch")
    workbench.feed(PRODUCT, calls(100, 600))
    wait_until(lambda: len(published_ids(workbench)) == 700)
    assert third.end_by(signal.SIGTERM) == 0
    workbench.home.path = home
    assert_each_once(workbench, 700)


def test_without_its_sign_of_life_a_second_fences_the_first(workbench, monkeypatch):
    monkeypatch.setattr(Beacon, "claim", lambda *_: True)
    with workbench.running(PRODUCT) as first:
        workbench.settle(first)
        relay = Relay(
            workbench.backbone.endpoint,
            workbench.principal(PRODUCT),
            position_topic=position_topic(plan_product(workbench.project(), PRODUCT).product),
            source="/a second one",
        )
        relay.open()
        relay.close()
        workbench.feed(PRODUCT, calls(10))
        with pytest.raises(RelayFailed, match="fenced"):
            workbench.settle(first, 10)


@pytest.mark.long
def test_a_frozen_first_that_thaws_after_a_take_over_ends_with_the_reason(
    workbench, start, tmp_path
):
    home = other_home(workbench, tmp_path)
    workbench.feed(PRODUCT, calls(100))
    first = start()
    first.until_said(" running")
    wait_until(lambda: len(published_ids(workbench)) == 100)
    os.kill(first.child.pid, signal.SIGSTOP)
    second = start(home=home)
    second.until_said(" running", 40)
    workbench.feed(PRODUCT, calls(100, 100))
    wait_until(lambda: len(published_ids(workbench)) == 200)
    os.kill(first.child.pid, signal.SIGCONT)
    workbench.feed(PRODUCT, calls(100, 200))

    assert first.child.wait(40) == 1
    assert "already runs, on another storage" in first.said
    wait_until(lambda: len(published_ids(workbench)) == 300)
    assert second.child.poll() is None
    assert len(set(published_ids(workbench))) == 300


def test_a_lost_storage_waits_no_longer_than_kafka_believes_in_the_dead(workbench, start):
    workbench.feed(PRODUCT, calls(50))
    first = start()
    first.until_said(" running")
    wait_until(lambda: len(published_ids(workbench)) == 50)
    first.child.kill()
    first.child.wait()
    workbench.home.storage(PRODUCT).unlink()

    run(workbench, 0)

    assert_each_once(workbench, 50)
