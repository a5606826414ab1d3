"""The supervisor: what it starts, restarts, stops, and says of it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

import psutil
import pytest

from mesh.backbone.process import Command
from mesh.control.service import Service
from mesh.control.supervisor import Supervisor
from mesh.errors import BackboneError
from mesh.home import Home

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def supervisor(tmp_path):
    found = Supervisor(home=Home.open(tmp_path / "home"), pid=os.getpid())
    yield found
    found.stop()


def service(supervisor, script, **more):
    """A service that runs a line of shell."""
    command = Command(
        argv=("/bin/sh", "-c", script),
        env={"PATH": os.defpath},
        cwd=supervisor.home.path,
        log=supervisor.home.logs / "it.log",
    )
    return Service(**{"name": "it", "kind": "product", "command": command, **ready(), **more})


def ready(is_ready=True):
    return {"is_ready": lambda: is_ready}


def watch(supervisor, seconds=None, until=None):
    """Let it watch for a time, or until something holds."""

    def end():
        limit = time.monotonic() + (seconds or 20)
        while time.monotonic() < limit and not (until and until()):
            time.sleep(0.01)
        supervisor.should_stop = True

    supervisor.should_stop = False
    thread = threading.Thread(target=end)
    thread.start()
    supervisor.watch()
    thread.join()


def written(supervisor):
    return json.loads((supervisor.home.run / "mesh.json").read_text())


def test_it_says_what_runs_in_a_file(supervisor):
    it = service(supervisor, "exec sleep 60", address=lambda: "http://127.0.0.1:1")
    supervisor.start([it], 5)
    watch(supervisor, 0.2)

    document = written(supervisor)
    assert document["pid"] == os.getpid()
    assert document["state"] == "running"
    assert document["services"] == [
        {
            "name": "it",
            "kind": "product",
            "state": "running",
            "address": "http://127.0.0.1:1",
            "pid": it.process.pid,
            "restarts": 0,
            "reason": "",
        }
    ]


def test_a_service_that_ends_during_the_start_stops_the_start_with_its_last_words(supervisor):
    it = service(supervisor, "echo begin; echo 'mesh: no room left'; exit 3", **ready(False))

    with pytest.raises(BackboneError, match=r"it did not start, exit 3: no room left \(its log: "):
        supervisor.start([it], 5)


def test_a_service_that_is_not_ready_in_time_is_named_with_its_last_words(supervisor):
    it = service(supervisor, "echo waiting for godot; exec sleep 60", **ready(False))

    with pytest.raises(BackboneError, match=r"not ready within 1 s: it, waiting for godot"):
        supervisor.start([it], 1)


def test_what_dies_is_started_again_with_the_reason(supervisor):
    it = service(supervisor, "exec sleep 60")
    supervisor.start([it], 5)
    first = it.process.pid
    os.kill(first, signal.SIGKILL)
    watch(supervisor, until=lambda: it.restarts == 1 and it.state == "running")

    assert it.reason == "killed by SIGKILL"
    assert psutil.pid_exists(it.process.pid)
    assert it.process.pid != first


def test_what_dies_again_and_again_is_tried_after_longer_and_longer_pauses(supervisor):
    it = service(supervisor, "exec sleep 60")
    supervisor.start([it], 5)
    it.command = service(supervisor, "date +%s.%N; exit 3").command
    it.process.kill()
    killed = time.time()
    watch(supervisor, until=lambda: it.back_off_s == 8)

    first, second = map(float, it.command.log.read_text().split())
    assert 0.9 < first - killed < 1.8
    assert 1.9 < second - first < 3.5
    assert it.restarts == 2


def test_a_pause_is_never_longer_than_half_a_minute(supervisor):
    it = service(supervisor, "exit 3")
    it.start()
    it.process.wait()
    for _ in range(10):
        it.state = "running"
        supervisor._tend(it)

    assert it.back_off_s == 30


def test_what_has_lived_for_long_is_started_again_soon(supervisor):
    it = service(supervisor, "exit 3", back_off_s=30.0)
    it.start()
    it.process.wait()
    it.started_at -= 61
    supervisor._tend(it)

    assert it.retry_at - time.monotonic() < 1.1


def test_the_state_of_the_mesh_is_worth_less_than_the_mesh(supervisor):
    """A folder that is full, or gone, stops nothing."""
    it = service(supervisor, "exec sleep 60")
    supervisor.start([it], 5)
    run = supervisor.home.run
    run.rename(run.with_name("elsewhere"))
    run.write_text("in the way")
    watch(supervisor, 0.5)
    assert it.process.poll() is None

    run.unlink()
    run.with_name("elsewhere").rename(run)
    watch(supervisor, 0.3)
    assert written(supervisor)["state"] == "running"


def test_a_service_whose_log_cannot_be_written_is_tried_again(supervisor):
    it = service(supervisor, "exec sleep 60")
    supervisor.start([it], 5)
    logs = supervisor.home.logs
    logs.rename(logs.with_name("elsewhere"))
    logs.write_text("in the way")
    it.process.kill()
    watch(supervisor, until=lambda: "cannot start" in it.reason)
    assert it.state == "restarting"

    logs.unlink()
    logs.with_name("elsewhere").rename(logs)
    watch(supervisor, until=lambda: it.state == "running")
    assert it.process.poll() is None


def test_all_are_stopped_and_who_will_not_is_killed_in_time(supervisor):
    deaf = "trap '' TERM; while true; do sleep 0.1; done"
    all_ = [
        service(supervisor, "exec sleep 60"),
        service(supervisor, deaf),
        service(supervisor, deaf, kind="backbone"),
    ]
    supervisor.start(all_, 5)
    time.sleep(0.3)  # for the traps
    began = time.monotonic()
    supervisor.stop()

    assert time.monotonic() - began < 5
    assert all_[0].process.returncode == -signal.SIGTERM
    assert [each.process.returncode for each in all_[1:]] == [-signal.SIGKILL] * 2
    assert {each.state for each in all_} == {"stopped"}


def test_the_backbone_ends_after_what_needs_it(supervisor):
    note = "trap 'echo {0}; exit 0' TERM; while true; do sleep 0.05; done"
    kinds = ("backbone", "product", "service")
    supervisor.start([service(supervisor, note.format(kind), kind=kind) for kind in kinds], 5)
    time.sleep(0.3)  # for the traps
    supervisor.stop()

    said = (supervisor.home.logs / "it.log").read_text().split()
    assert sorted(said) == sorted(kinds)
    assert said[-1] == "backbone"


def test_an_end_leaves_no_file_and_a_failure_leaves_the_reason(supervisor):
    supervisor.write()
    supervisor.end()
    assert not (supervisor.home.run / "mesh.json").exists()

    supervisor.error = "no room"
    supervisor.end()
    assert written(supervisor)["error"] == "no room"


def test_a_signal_during_the_start_interrupts_it_and_later_one_asks_to_stop(supervisor):
    before = {each: signal.getsignal(each) for each in SIGNALS}
    supervisor.listen_for_signals()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        supervisor.should_stop = False
        supervisor.state = "running"
        signal.raise_signal(signal.SIGHUP)
        assert supervisor.should_stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_program_that_is_not_there_is_told(supervisor):
    it = service(supervisor, "", **ready(False))
    it.command = Command(
        argv=("/nowhere/java",),
        env={},
        cwd=supervisor.home.path,
        log=supervisor.home.logs / "it.log",
    )
    with pytest.raises(BackboneError, match="cannot start /nowhere/java"):
        supervisor.start([it], 5)
