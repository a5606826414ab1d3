"""The container fixtures, which other products' tests may use too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from mesh.testing.containers import LABEL, containers, is_alive, why_no_docker

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SESSION = """
import time
from mesh.testing.containers import containers
with containers() as backbone:
    print(backbone.endpoint.bootstrap_servers, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def docker_engine():
    reason = why_no_docker()
    if reason is not None:
        pytest.skip(f"{reason}: start one to run the tests with containers")


def containers_here() -> list[str]:
    listed = subprocess.run(
        [
            "docker",
            "ps",
            "-a",
            "--filter",
            f"label={LABEL}",
            "--format",
            f'{{{{.Label "{LABEL}"}}}}',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.split()


def test_a_killed_session_leaves_nothing_for_the_next_one():
    environment = {**os.environ, "TESTCONTAINERS_RYUK_DISABLED": "true"}
    with subprocess.Popen(
        [sys.executable, "-c", SESSION], stdout=subprocess.PIPE, text=True, env=environment
    ) as session:
        assert session.stdout is not None
        assert session.stdout.readline().startswith("127.0.0.1:")
        session.send_signal(signal.SIGKILL)
    abandoned = [mark for mark in containers_here() if not is_alive(mark)]

    with containers():
        left = [mark for mark in containers_here() if not is_alive(mark)]

    assert len(abandoned) == 2
    assert left == []


def test_without_an_engine_the_reason_is_said(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")

    assert "no Docker engine answers" in str(why_no_docker())
