"""The supervisor: starts the mesh, restarts what dies, stops all of it.

One process, and everything it starts dies with it. What it does stands in `run/mesh.json`,
which `mesh up`, `mesh status` and `mesh down` read. Not here: how a service is started
(`services`), the command line.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.backbone.process import Command, last_lines, spawn
from mesh.errors import BackboneError, MeshError
from mesh.home import Home

__all__ = ["RUN_FILE", "Service", "Supervisor"]

RUN_FILE = "mesh.json"
POLL_S = 0.1
STOP_TIMEOUT_S = 3.0
# A service that dies at once is tried again after 1, 2, 4, … seconds.
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 30.0
# After this long alive, a death counts as the first one.
SETTLED_S = 60.0


@dataclass(slots=True, kw_only=True)
class Service:
    """One supervised process. *is_ready* is asked until it says yes, and must not raise."""

    name: str
    kind: str
    command: Command
    is_ready: Callable[[], bool]
    address: Callable[[], str | None] = lambda: None
    after_start: Callable[[], None] = lambda: None
    process: subprocess.Popen[bytes] | None = None
    state: str = "stopped"
    reason: str = ""
    restarts: int = 0
    started_at: float = 0.0
    back_off_s: float = FIRST_BACK_OFF_S
    retry_at: float = 0.0

    def start(self) -> None:
        """Start the process."""
        self.process = spawn(self.command)
        self.started_at = time.monotonic()
        self.state = "starting"

    def has_died(self) -> bool:
        """Whether the process has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def why(self) -> str:
        """How it ended, with the last words of its log."""
        code = self.process.returncode if self.process is not None else None
        ended = f"killed by signal {-code}" if code is not None and code < 0 else f"exit {code}"
        lines = last_lines(self.command.log, 1)
        return f"{ended}: {lines[0].strip()}" if lines else ended

    def describe(self) -> dict[str, object]:
        """What others may know of it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "address": self.address(),
            "pid": self.process.pid if self.process and not self.has_died() else None,
            "restarts": self.restarts,
            "reason": self.reason,
        }


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Runs services in one home. Used from one thread, the one that it spawns from."""

    home: Home
    pid: int
    services: list[Service] = field(default_factory=list)
    state: str = "starting"
    step: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    should_stop: bool = False
    _written: dict[str, object] = field(default_factory=dict)

    def listen_for_signals(self) -> None:
        """Stop on SIGTERM, SIGINT and SIGHUP."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.should_stop = True

    def say(self, step: str) -> None:
        """Tell whoever watches what is done now."""
        self.step = step
        self.write()

    def start(self, services: list[Service], timeout_s: float) -> None:
        """Start *services* together and wait until all are ready.

        Raises `BackboneError` with the reason where one ends or the time is over.
        """
        self.services += services
        for each in services:
            each.start()
        deadline = time.monotonic() + timeout_s
        waiting = list(services)
        while waiting and not self.should_stop:
            for each in list(waiting):
                if each.has_died():
                    raise BackboneError(
                        f"{each.name} did not start, {each.why()} (its log: {each.command.log})"
                    )
                if each.is_ready():
                    each.after_start()
                    each.state = "running"
                    waiting.remove(each)
            names = ", ".join(each.name for each in waiting)
            self.say(f"waiting for {names}" if waiting else "ready")
            if waiting and time.monotonic() > deadline:
                raise BackboneError(f"{names} did not become ready within {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Restart what dies, until told to stop."""
        self.state, self.step = "running", ""
        while not self.should_stop:
            for each in self.services:
                self._tend(each)
            self.write()
            time.sleep(POLL_S)

    def _tend(self, service: Service) -> None:
        now = time.monotonic()
        if service.state in ("starting", "running") and service.has_died():
            if now - service.started_at > SETTLED_S:
                service.back_off_s = FIRST_BACK_OFF_S
            service.state, service.reason = "restarting", service.why()
            service.retry_at = now + service.back_off_s
            service.back_off_s = min(service.back_off_s * 2, LONGEST_BACK_OFF_S)
        elif service.state == "restarting" and now >= service.retry_at:
            service.restarts += 1
            service.start()
        elif service.state == "starting" and service.is_ready():
            try:
                service.after_start()
            except MeshError as error:
                service.reason = str(error)
            else:
                service.state = "running"

    def stop(self) -> None:
        """Stop everything, what was started last first; the backbone's two together."""
        self.state = "stopping"
        self.write()
        kinds = ("product", "service", "task", "backbone")
        for kind in kinds:
            self._stop_together([each for each in self.services if each.kind == kind])

    def _stop_together(self, services: list[Service]) -> None:
        alive = [each for each in services if each.process and each.process.poll() is None]
        for each in alive:
            if each.process is not None:
                each.process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for each in alive:
            if each.process is not None:
                try:
                    each.process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    each.process.kill()
                    each.process.wait()
        for each in services:
            each.state = "stopped"

    def end(self) -> None:
        """Leave word of a failure, and nothing else."""
        self.state = "failed" if self.error else "stopped"
        self.write()
        if not self.error:
            (self.home.run / RUN_FILE).unlink(missing_ok=True)

    def write(self) -> None:
        """Write what is true now, if it has changed."""
        document: dict[str, object] = {
            "pid": self.pid,
            "state": self.state,
            "step": self.step,
            "error": self.error,
            "warnings": self.warnings,
            "services": [each.describe() for each in self.services],
        }
        if document != self._written:
            self._written = document
            self.home.write_run(RUN_FILE, {**document, "at": datetime.now(UTC).isoformat()})
