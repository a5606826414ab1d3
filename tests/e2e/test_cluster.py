"""Three brokers: one is killed under load, and nothing is lost, doubled or stopped."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.compose import composed, why_no_compose
from tests.repository import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(1800)]

COUNT = 400_000
STATUS = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8000/status').read().decode())"


@pytest.fixture(scope="module")
def cluster():
    reason = why_no_compose()
    if reason is not None:
        pytest.skip(f"{reason}: start one to run the cluster drill")
    with composed("docker-compose.yml", "compose.cluster.yml") as compose:
        yield compose


def status(cluster) -> dict:
    return json.loads(cluster.run("exec", "-T", "call-center", "python", "-c", STATUS))


def test_a_broker_that_is_killed_under_load_costs_nothing(cluster):
    files = [part for file in cluster.files for part in ("-f", file)]
    command = ["docker", "compose", "-p", cluster.project, *files, "run", "--rm", "feed"]
    feed = subprocess.Popen(
        [*command, "--calls", str(COUNT), "--json"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    while status(cluster)["rows"]["calls"] < COUNT // 40:
        time.sleep(0.5)
    cluster.run("kill", "kafka-2")
    still_running = feed.poll() is None
    fed = json.loads(feed.communicate(timeout=600)[0])
    deadline = time.monotonic() + 300
    while status(cluster)["rows"]["calls"] < COUNT and time.monotonic() < deadline:
        time.sleep(1)

    assert still_running, "the feed was over before the broker was killed: nothing was tried"
    assert fed["count_new"] == COUNT
    assert status(cluster)["rows"]["calls"] == COUNT
    cluster.run("start", "kafka-2")
