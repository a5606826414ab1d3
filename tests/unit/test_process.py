"""Child processes and ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mesh.backbone import guard
from mesh.backbone.folder_lock import FolderLock
from mesh.backbone.process import (
    Command,
    check_port_free,
    free_port,
    is_answering,
    is_port_free,
    last_lines,
    spawn,
    stop,
)
from mesh.errors import AlreadyRunning, BackboneError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux only")


def python(folder: Path, code: str, **more: object) -> Command:
    return Command(
        argv=(sys.executable, "-c", code),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        log=folder / "log",
        **more,  # type: ignore[arg-type]  # a test's shorthand
    )


def wait_until(condition: object, timeout_s: float = 10) -> bool:
    assert callable(condition)
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


PARENT = """
import sys, time
from pathlib import Path
from mesh.backbone.process import Command, spawn
folder = Path(sys.argv[1])
child = spawn(Command(argv=("/bin/sleep", "60"), env={}, cwd=folder, log=folder / "child.log"))
(folder / "pid.new").write_text(str(child.pid))
(folder / "pid.new").rename(folder / "pid")
time.sleep(60)
"""


@linux_only
def test_a_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=environment)
    assert wait_until((tmp_path / "pid").exists)
    child = int((tmp_path / "pid").read_text())
    assert wait_until(lambda: psutil.Process(child).name() == "sleep")

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert wait_until(lambda: not is_running(child), timeout_s=2)


@linux_only
def test_a_child_whose_parent_is_gone_before_it_asks_the_kernel_does_not_start() -> None:
    somebody_else = "1" if os.getpid() != 1 else "2"
    launcher = [sys.executable, "-I", "-S", guard.__file__, "exec", somebody_else, "0"]
    ended = subprocess.run([*launcher, "/bin/sleep", "60"], timeout=10, check=False)
    assert ended.returncode == 1


def test_the_portable_guard_ends_its_child_when_the_pipe_breaks() -> None:
    launcher = [sys.executable, "-I", "-S", guard.__file__, "watch", str(os.getpid()), "0"]
    with subprocess.Popen([*launcher, "/bin/sleep", "60"], stdin=subprocess.PIPE) as watcher:
        assert wait_until(psutil.Process(watcher.pid).children)
        (child,) = psutil.Process(watcher.pid).children()

        assert watcher.stdin is not None
        watcher.stdin.close()

        assert watcher.wait(10) == 128 + signal.SIGTERM
        assert not is_running(child.pid)


def test_the_portable_guard_passes_a_request_to_end_on() -> None:
    launcher = [sys.executable, "-I", "-S", guard.__file__, "watch", str(os.getpid()), "0"]
    with subprocess.Popen([*launcher, "/bin/sleep", "60"], stdin=subprocess.PIPE) as watcher:
        assert wait_until(psutil.Process(watcher.pid).children)
        assert stop(watcher, timeout_s=10) == 128 + signal.SIGTERM


def test_a_child_inherits_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dmallory=1")
    command = Command(argv=("/usr/bin/env",), env={"ONE": "1"}, cwd=tmp_path, log=tmp_path / "log")
    assert spawn(command).wait(10) == 0
    variables = {line.partition("=")[0] for line in last_lines(command.log, 9)}
    assert variables - {"LC_CTYPE"} == {"ONE"}  # the launcher is Python, which may set that one


def test_a_child_leads_a_session_of_its_own(tmp_path: Path) -> None:
    child = spawn(python(tmp_path, "import time; time.sleep(60)"))
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        stop(child, timeout_s=5)


def test_a_child_can_be_made_to_run_at_idle_priority(tmp_path: Path) -> None:
    command = python(tmp_path, "import os; print(os.nice(0))", nice=19)
    spawn(command).wait(10)
    assert last_lines(command.log, 1) == ["19"]


@linux_only
def test_a_child_ends_by_a_broken_pipe_as_from_a_shell(tmp_path: Path) -> None:
    command = Command(
        argv=("/bin/grep", "SigIgn", "/proc/self/status"),
        env={},
        cwd=tmp_path,
        log=tmp_path / "log",
    )
    assert spawn(command).wait(10) == 0
    ignored = int(last_lines(command.log, 1)[0].split()[1], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1))


def test_output_is_appended_to_the_log(tmp_path: Path) -> None:
    for word in ("first", "second"):
        spawn(python(tmp_path, f"import sys; print('{word}', file=sys.stderr)")).wait(10)
    assert last_lines(tmp_path / "log", 5) == ["first", "second"]


def test_a_program_that_is_not_there_ends_with_127_and_a_line_in_the_log(tmp_path: Path) -> None:
    command = Command(argv=("/no/such",), env={}, cwd=tmp_path, log=tmp_path / "log")
    assert spawn(command).wait(10) == 127
    assert last_lines(command.log, 1) == ["cannot start /no/such: No such file or directory"]


def test_a_folder_that_is_not_there_is_a_backbone_error(tmp_path: Path) -> None:
    command = Command(argv=("/bin/true",), env={}, cwd=tmp_path / "no", log=tmp_path / "log")
    with pytest.raises(BackboneError, match="/bin/true"):
        spawn(command)


def test_a_process_that_does_not_end_when_asked_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    child = spawn(python(tmp_path, code))
    assert wait_until(lambda: last_lines(tmp_path / "log", 1) == ["deaf"])
    assert stop(child, timeout_s=0.2) == -signal.SIGKILL


def test_stopping_a_process_that_has_ended_tells_how_it_ended(tmp_path: Path) -> None:
    child = spawn(python(tmp_path, "raise SystemExit(3)"))
    child.wait(10)
    assert stop(child, timeout_s=1) == 3


def test_the_last_lines_of_a_log_that_is_not_there_are_none(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none", 3) == []


def test_the_last_lines_of_a_long_log_are_its_end(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\n" + b"x" * 200_000 + b"\nlast\n")
    assert last_lines(tmp_path / "log", 1) == ["last"]


def test_a_port_in_use_is_reported_with_who_has_it_and_what_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        mine = f"port {port} is in use by .*process {os.getpid()}.*set MESH_KAFKA_PORT"
        with pytest.raises(BackboneError, match=mine):
            check_port_free(port)
        assert is_answering(port)
    assert not is_answering(port)


def test_a_port_whose_connections_fade_away_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the server's end closes first: it is the one to stay in TIME_WAIT
        client.close()
    assert is_port_free(port)


def test_a_free_port_is_none_that_the_kernel_gives_to_clients() -> None:
    ports = {free_port() for _ in range(20)}
    assert all(is_port_free(port) and port < 32_768 for port in ports)


def test_a_folder_has_one_owner_who_is_named(tmp_path: Path) -> None:
    owner, other = FolderLock(tmp_path), FolderLock(tmp_path)
    owner.acquire()
    owner.acquire()  # again is no error
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        other.acquire()
    owner.release()
    other.acquire()
    other.release()


def test_a_folder_stays_taken_while_a_child_lives_that_holds_its_lock(tmp_path: Path) -> None:
    owner, next_owner = FolderLock(tmp_path), FolderLock(tmp_path)
    owner.acquire()
    child = spawn(python(tmp_path, "import time; time.sleep(60)", holds=(owner.descriptor,)))
    owner.release()
    try:
        with pytest.raises(AlreadyRunning):
            next_owner.acquire()
    finally:
        stop(child, timeout_s=5)
    next_owner.acquire()
    next_owner.release()
