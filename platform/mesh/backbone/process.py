"""Child processes that end with the process that started them, whatever happens to it.

    process = spawn(Command(argv=("/bin/sleep", "60"), env={}, cwd=folder, log=folder / "log"))
    stop(process, timeout_s=5)

It does not watch or restart anything: the supervisor does.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from mesh.backbone import guard
from mesh.errors import BackboneError

__all__ = [
    "Command",
    "check_port_free",
    "free_port",
    "is_answering",
    "is_port_free",
    "last_lines",
    "spawn",
    "stop",
]

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes the local port of an outgoing connection (Linux from
# 32768, macOS from 49152). In that range a client that keeps retrying while the broker is down may
# be given the broker's own port, be connected to itself, and keep the broker from coming back.
_PORTS = range(20_000, 32_000)
_TAIL_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start one process. *env* is the whole environment, nothing is inherited.

    *holds* are open file descriptors that the child keeps open too: a lock held through one of
    them is released only when the child has ended as well.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    nice: int = 0
    holds: tuple[int, ...] = ()


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start *command*; it is killed when the calling thread ends, so call from the main thread.

    (On Linux the kernel ties the child to the thread that started it, not to the process.) The
    child leads a session of its own, so that a terminal's Ctrl-C reaches only us. Its output is
    appended to the log. A program that cannot be started exits with 127 and a line in the log.
    Raises BackboneError where the log cannot be written.
    """
    linux = sys.platform == "linux"
    mode = "exec" if linux else "watch"
    launcher = (sys.executable, "-I", "-S", guard.__file__, mode, str(os.getpid()))
    try:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            # A launcher rather than preexec_fn: that forks our whole process and runs Python in
            # the copy, which may wait for ever for a lock that another of our threads held.
            return subprocess.Popen(
                (*launcher, str(command.nice), *command.argv),
                env=dict(command.env),
                cwd=command.cwd,
                stdin=subprocess.DEVNULL if linux else subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=command.holds,
            )
    except OSError as error:
        raise BackboneError(f"cannot start {command.argv[0]} in {command.cwd}: {error}") from error


def stop(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """Ask *process* to end, kill it and its session after *timeout_s*, return its exit code."""
    process.terminate()
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        # Not yet waited for, so the number can't be another's by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        return process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()


def last_lines(log: Path, n: int) -> list[str]:
    """Return the last *n* lines of a log, none where there is no log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-n:]
    except OSError:
        return []


def free_port() -> int:
    """Return a port of the loopback that nobody listens on now."""
    for port in random.sample(_PORTS, k=200):
        if _bindable(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_port_free(port: int) -> bool:
    """Say whether a server could listen on this port, by listening on it for a moment.

    So never ask this about a server that is just starting: ask `is_answering`.
    """
    return _bindable(port)


def is_answering(port: int) -> bool:
    """Say whether somebody listens on this port of the loopback."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.5):
            return True
    except OSError:
        return False


def check_port_free(port: int, setting: str = "MESH_KAFKA_PORT") -> None:
    """Raise BackboneError where *port* is taken, naming who has it and the *setting* to change."""
    if not _bindable(port):
        raise BackboneError(
            f"port {port} is in use by {_listener(port)}; set {setting} to another or stop it"
        )


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        # As Java and asyncio listen: connections that still fade away do not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _listener(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            local = connection.laddr
            if connection.status == psutil.CONN_LISTEN and local and local.port == port:
                if connection.pid is not None:
                    name = psutil.Process(connection.pid).name()
                    return f"{name} (process {connection.pid})"
                break
    except (psutil.Error, OSError):  # another user's, or not told on this system
        pass
    return "another program"
