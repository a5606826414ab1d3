"""The audit service and its Kafka are killed while messages come: no entry is lost or doubled."""

from __future__ import annotations

import json
import os
import random
import signal
import threading

import httpx
import pytest

from mesh.audit.entry import ENTRY, ENTRY_BYTES
from mesh.audit.keys import log_key_of
from mesh.audit.origin import LogName, topic_id
from mesh.audit.store import Log
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.home import Home
from mesh.product.readback import read_back
from mesh.settings import Settings
from tests.life import Mesh, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

KILLS = ["audit", "kafka", "audit", "call-center", "audit"]
CALLS = 5_000


@pytest.fixture
def mesh(tmp_path):
    with opened(tmp_path / "home") as found:
        yield found


def address(mesh: Mesh) -> str:
    return str(json.loads((mesh.home / "run" / "audit.json").read_text())["address"])


def entries(mesh: Mesh) -> int:
    """How many entries the service has of calls, as far as it answers."""
    try:
        logs = httpx.get(f"{address(mesh)}/logs", timeout=5, trust_env=False).json()
    except (httpx.HTTPError, OSError, ValueError):
        return -1
    return sum(each["entries"] for each in logs if ".call-center.calls." in each["topic"])


def runs_again(mesh: Mesh, name: str, victim: int) -> bool:
    service = mesh.service(name)
    return service["state"] == "running" and service["pid"] != victim


def test_kills_of_service_and_broker_lose_and_repeat_no_entry(mesh: Mesh):
    chance = random.Random(8)  # noqa: S311 - a seed, so that a failure can be repeated
    mesh.run("up")
    feed = mesh.start("feed", "call-center", "--calls", str(CALLS))
    stop = threading.Event()
    for name in KILLS:
        stop.wait(chance.uniform(0.2, 2.0))
        victim = mesh.pids()[name]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda name=name, victim=victim: runs_again(mesh, name, victim))
    assert feed.wait(120) == 0, feed.said
    wait_until(lambda: mesh.has_calls(CALLS), 120)
    wait_until(lambda: entries(mesh) >= CALLS, 120)
    home = Home.find(mesh.home)
    endpoint = find_endpoint(Settings(home=mesh.home), home)
    principal = Principal(name="call-center", secret=home.secret("call-center"))
    logs = httpx.get(f"{address(mesh)}/logs", timeout=20, trust_env=False).json()
    its = [each for each in logs if ".call-center.calls." in each["topic"]]
    chunks = read_back(endpoint, principal, its[0]["topic"])
    messages = [message for chunk in chunks for message in chunk]
    mesh.run("down")

    assert len(messages) == CALLS
    folder = mesh.home / "audit"
    for each in its:
        partition = each["partition"]
        name = LogName(
            mesh=log_key_of(folder).name,
            topic=each["topic"],
            topic_id=topic_id(each["topic_id"]),
            partition=partition,
        )
        log = Log(folder / "logs" / name.path, name, log_key_of(folder))
        offsets = [log.offset_at(index) for index in range(log.size)]
        assert offsets == [one.offset() for one in messages if one.partition() == partition]
        assert len(log.entries(0, log.size)) == log.size * ENTRY_BYTES == log.size * ENTRY.itemsize
        assert all(log.openings.at(index) for index in range(log.size))
        log.close()
