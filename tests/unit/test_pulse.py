"""The supervisor: what it does about who is frozen, and about who is held."""

from __future__ import annotations

import itertools
import os
import signal

import psutil
import pytest

from mesh.control import pulse
from mesh.control.holds import hold
from mesh.control.supervisor import Supervisor
from mesh.home import Home
from tests.unit.test_supervisor import service, watch


@pytest.fixture
def supervisor(tmp_path):
    found = Supervisor(home=Home.open(tmp_path / "home"), pid=os.getpid())
    yield found
    found.stop()


def test_what_is_frozen_is_killed_and_started_again(supervisor, monkeypatch):
    monkeypatch.setattr(pulse, "PAUSE_S", 0.05)
    frozen = []
    it = service(supervisor, "exec sleep 60", answers=lambda: it.process.pid not in frozen)
    supervisor.start([it], 5)
    frozen.append(it.process.pid)
    os.kill(it.process.pid, signal.SIGSTOP)
    watch(supervisor, until=lambda: it.restarts == 1 and it.state == "running")

    assert it.reason == "killed, since it did not answer any more"
    assert it.process.pid not in frozen
    assert not psutil.pid_exists(frozen[0])


def test_one_answer_left_out_is_nothing(supervisor, monkeypatch):
    monkeypatch.setattr(pulse, "PAUSE_S", 0.05)
    answers = itertools.cycle([False, False, True])
    it = service(supervisor, "exec sleep 60", answers=lambda: next(answers))
    supervisor.start([it], 5)
    watch(supervisor, 1)

    assert it.restarts == 0


def test_what_is_held_is_stopped_and_started_when_it_is_let_go(supervisor):
    it = service(supervisor, "exec sleep 60")
    supervisor.start([it], 5)
    first = it.process
    with hold(supervisor.home, "it"):
        watch(supervisor, until=lambda: it.state == "held" and first.poll() is not None)
        watch(supervisor, 0.5)
        assert it.process is first
        assert it.reason == f"by process {os.getpid()}"
    watch(supervisor, until=lambda: it.state == "running")

    assert it.process is not first
    assert it.restarts == 0


def test_what_does_not_end_when_it_is_held_is_killed(supervisor):
    it = service(supervisor, "trap '' TERM; sleep 60 & while :; do wait; done")
    supervisor.start([it], 5)
    with hold(supervisor.home, "it"):
        watch(supervisor, until=it.has_died)
        assert it.state == "held"
