"""A service's process that is forked from a program which has imported all that it needs.

    with forking(environment, home) as start:
        process = start(Command(argv=(sys.executable, "-P", "-m", "mesh", "run", "billing"), …))

Thirteen processes of our own that import the same take thirteen times a second of CPU, and a
hundred megabytes each. Not here: what is imported (`mesh.wiring.forked`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from mesh.backbone.forking import ForkServer
from mesh.backbone.process import Command, spawn
from mesh.errors import BackboneError, MeshError

__all__ = ["Forked", "Process", "forking"]

LOOK_S = 0.01


class Process(Protocol):
    """What a supervisor needs of a child: as `subprocess.Popen` has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """How it ended, or None."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; how it ended. Raises `subprocess.TimeoutExpired`."""


class Forked:
    """A fork of *server*'s program, with the methods of `subprocess.Popen`; for one thread."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server, self.pid = server, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, or None."""
        if self.returncode is None:
            self.returncode = self._server.status(self.pid)
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; how it ended. Raises `subprocess.TimeoutExpired`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(LOOK_S)
        return code

    def _signal(self, number: int) -> None:
        # Whoever has ended keeps the number until we have asked, so it is nobody else's.
        if self.poll() is None:
            os.kill(self.pid, number)


@contextmanager
def forking(
    module: str, environment: Mapping[str, str], system: str = sys.platform
) -> Iterator[Callable[[Command], Process]]:
    """How to start our own processes: as forks of the program that *module* runs.

    Where libraries do not bear that, or it does not run, each imports for itself.
    """
    if system != "linux":
        yield spawn
        return
    with ForkServer(module, environment) as server:
        server.start()

        def start(command: Command) -> Process:
            return fork(server, command)

        yield start


def fork(server: ForkServer, command: Command) -> Process:
    """Start `python -P -m MODULE …`. Raises `BackboneError` where its log cannot be written."""
    arguments = command.argv[command.argv.index("-m") + 1 :]
    asked = {"arguments": arguments, "env": dict(command.env), "cwd": str(command.cwd)}
    try:
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            return Forked(server, server.fork(asked, [log.fileno()]))
    except OSError as error:
        raise BackboneError(f"cannot start {' '.join(arguments)}: {error}") from error
    except MeshError:
        # Why stands in the log of whoever started the program.
        return spawn(command)
