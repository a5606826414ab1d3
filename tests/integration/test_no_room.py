"""A product whose disk is full, or whose broker is away: it waits, says so, and goes on."""

from __future__ import annotations

import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.endpoint import Endpoint
from mesh.backbone.process import spawn, stop
from mesh.observe.status import ask_status
from mesh.settings import Settings
from mesh.testing import Backbone, open_workbench
from tests.conftest import ROOT
from tests.life import fill, mounted, wait_until
from tests.stream import PRODUCT, assert_each_once, calls, process, published_ids

pytestmark = [pytest.mark.broker, pytest.mark.slow]

AWAY_S = 10.0


@pytest.fixture
def small_disk(workbench, tmp_path):
    """A disk for the product's storage and for nothing else; only root can mount one."""
    for place in mounted(tmp_path, "size=33m"):
        folder = workbench.home.folder("products") / PRODUCT
        folder.symlink_to(place)
        yield place


@contextmanager
def started(workbench):
    """The product in a process of its own, once it runs."""
    with process(workbench, "run", PRODUCT) as (child, log):
        wait_until(lambda: b" running" in log.read_bytes() or child.poll() is not None)
        yield child


def status(workbench):
    """What the product says of itself, if it says anything."""
    address = workbench.home.address(PRODUCT)
    return (ask_status(address) if address else None) or {"state": "absent"}


def until(workbench, state: str):
    """What it says once it is in *state*."""
    wait_until(lambda: status(workbench)["state"] == state)
    return status(workbench)


def test_a_storage_without_room_is_waited_for_and_nothing_is_lost(workbench, small_disk):
    with started(workbench) as child:
        workbench.feed(PRODUCT, calls(100))
        wait_until(lambda: len(published_ids(workbench)) == 100)
        filler = small_disk / "filler"
        fill(filler)
        workbench.feed(PRODUCT, calls(400, 100))
        said = until(workbench, "waiting")
        assert "No space left on device" in said["reason"]
        assert said["rows"]["calls"] == 100
        time.sleep(2)
        assert status(workbench)["state"] == "waiting"
        filler.unlink()
        until(workbench, "running")
        wait_until(lambda: len(published_ids(workbench)) == 500)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    assert_each_once(workbench, 500)


def test_a_storage_that_duckdb_has_shut_for_want_of_room_is_opened_again(workbench, small_disk):
    many = 80_000
    with started(workbench) as child:
        address = workbench.home.address(PRODUCT)
        workbench.feed(PRODUCT, calls(many))
        said = until(workbench, "waiting")
        assert "make room" in said["reason"]
        time.sleep(3)
        assert status(workbench)["state"] == "waiting"
        subprocess.run(["mount", "-o", "remount,size=400m", str(small_disk)], check=True)
        until(workbench, "running")
        assert workbench.home.address(PRODUCT) == address
        wait_until(lambda: len(published_ids(workbench)) == many)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
    assert_each_once(workbench, many)


@contextmanager
def backbone_of_its_own(folder: Path, settings: Settings):
    """A Kafka that may be ended and started again, and a registry."""
    servers = EmbeddedBackbone(folder, settings.cache)
    servers.install(settings.maven_mirror, lambda *_: None, offline=settings.offline)
    processes = {name: spawn(command) for name, command in servers.commands().items()}
    try:
        wait_until(lambda: servers.is_kafka_ready() and servers.is_registry_ready(), 90)
        servers.after_start()
        endpoint = Endpoint(
            bootstrap_servers=servers.bootstrap_servers, registry_url=servers.registry_url
        )
        found = Backbone(
            endpoint=endpoint, admin=servers.admin, admin_mechanism=servers.admin_mechanism
        )
        yield found, servers, processes
    finally:
        for each in processes.values():
            stop(each, timeout_s=5)
        servers.close()


@pytest.mark.long
def test_a_broker_that_is_away_is_waited_for_and_nothing_is_lost(tmp_path, settings_of_session):
    with (
        backbone_of_its_own(tmp_path / "backbone", settings_of_session) as (backbone, servers, own),
        open_workbench(backbone, source=ROOT, folder=tmp_path) as workbench,
        started(workbench) as child,
    ):
        workbench.feed(PRODUCT, calls(5_000))
        own["kafka"].kill()
        own["kafka"].wait()
        until(workbench, "waiting")
        time.sleep(AWAY_S)
        wait_until(lambda: "Kafka" in status(workbench)["reason"])
        assert status(workbench)["state"] == "waiting"
        assert child.poll() is None
        own["kafka"] = spawn(servers.commands()["kafka"])
        until(workbench, "running")
        wait_until(lambda: status(workbench)["rows"]["calls"] == 5_000)
        workbench.feed(PRODUCT, calls(100, 5_000))
        wait_until(lambda: len(published_ids(workbench)) == 5_100)
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0
        assert_each_once(workbench, 5_100)
