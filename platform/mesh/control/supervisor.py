"""The supervisor: starts the mesh, restarts what dies, stops all of it.

One process, and everything it starts dies with it. What it does stands in `run/mesh.json`,
which `mesh up`, `mesh status` and `mesh down` read. Not here: what a mesh consists of
(`mesh.wiring.supervised`), one service (`service`), the command line.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mesh.control.holds import held_by
from mesh.control.pulse import Pulse, is_frozen
from mesh.control.service import Service
from mesh.errors import BackboneError, MeshError, SettingsError
from mesh.home import Home

__all__ = ["RUN_FILE", "Supervisor"]

RUN_FILE = "mesh.json"
POLL_S = 0.1
# Of a mesh that runs: more often takes a tenth of a core, and what died waits a second anyway.
WATCH_S = 0.25
# Together below the five seconds that `mesh down` may take. Our own processes may be killed at
# any moment without loss, and so may Kafka; ended in order, they start faster the next time.
STOP_OURS_S = 2.0
STOP_BACKBONE_S = 2.5
# A service that dies at once is tried again after 1, 2, 4, … seconds.
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 30.0
# After this long alive, a death counts as the first one.
SETTLED_S = 60.0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Runs services in one home. Used from one thread, the one that it spawns from.

    *report* is told each step, for whoever watches this process itself. Whoever removes the
    home of a mesh that runs has ended it; *lock* is a file in it by which that is seen.
    """

    home: Home
    pid: int
    lock: Path | None = None
    report: Callable[[str], None] = lambda _: None
    services: list[Service] = field(default_factory=list)
    state: str = "starting"
    step: str = ""
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    should_stop: bool = False
    _written: dict[str, object] = field(default_factory=dict)
    _lock_id: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Remember which file the lock is."""
        self._lock_id = file_id(self.lock)

    @property
    def has_home(self) -> bool:
        """Whether the home is still there, and not another's by now."""
        return file_id(self.lock) == self._lock_id

    def listen_for_signals(self) -> None:
        """Stop on SIGTERM, SIGINT and SIGHUP."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # What `nohup` has us ignore stays ignored.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: object) -> None:
        self.should_stop = True
        # A start may hang on a Kafka that does not answer; from then on we look often enough.
        if self.state == "starting":
            raise KeyboardInterrupt

    def say(self, step: str) -> None:
        """Tell whoever watches what is done now."""
        self.step = step
        self.report(step)
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
                    raise BackboneError(f"{each.name} did not start, {each.why()}")
                if each.is_ready():
                    each.after_start()
                    each.state = "running"
                    waiting.remove(each)
            if not waiting:
                break
            self.say("waiting for " + ", ".join(each.name for each in waiting))
            if time.monotonic() > deadline:
                words = "; ".join(f"{each.name}, {each.last_words()}" for each in waiting)
                raise BackboneError(f"not ready within {timeout_s:.0f} s: {words}")
            time.sleep(POLL_S)

    def watch(self) -> None:
        """Restart what dies, until told to stop."""
        self.state, self.step = "running", ""
        self.report("all is ready")
        with Pulse(self.services):
            while not self.should_stop and self.has_home:
                for each in self.services:
                    self._tend(each)
                # What cannot be written now (a full folder) is written when it can be: the
                # state of the mesh is worth less than the mesh.
                with suppress(SettingsError):
                    self.write()
                time.sleep(WATCH_S)

    def _tend(self, service: Service) -> None:
        now = time.monotonic()
        if self._is_held(service):
            return
        if is_frozen(service):
            service.wait(0)
            self._retry(service, "killed, since it did not answer any more")
        elif service.state in ("starting", "running") and service.has_died():
            self._retry(service, service.why())
        elif service.state == "restarting" and now >= service.retry_at:
            service.restarts += 1
            # A folder that is full has no room for a log either: the next try may find some.
            try:
                service.start()
            except MeshError as error:
                service.reason = str(error)
                service.retry_at = now + service.back_off_s
        elif service.state == "starting" and service.is_ready():
            try:
                service.after_start()
            except MeshError as error:
                service.reason = str(error)
            else:
                service.state = "running"

    def _retry(self, service: Service, reason: str) -> None:
        """Start *service* again, after a pause."""
        now = time.monotonic()
        if now - service.started_at > SETTLED_S:
            service.back_off_s = FIRST_BACK_OFF_S
        service.state, service.reason, service.missed = "restarting", reason, 0
        service.retry_at = now + service.back_off_s
        service.back_off_s = min(service.back_off_s * 2, LONGEST_BACK_OFF_S)

    def _is_held(self, service: Service) -> bool:
        """Whether somebody holds *service*, which is then stopped until it is let go."""
        holder = held_by(self.home, service.name) if service.kind == "product" else None
        if holder is None:
            if service.state == "held":
                service.state, service.reason, service.retry_at = "restarting", "", 0.0
                service.restarts -= 1  # nothing went wrong
            return False
        if service.state != "held":
            service.terminate()
            service.state, service.reason = "held", f"by process {holder}"
            service.retry_at = time.monotonic() + STOP_OURS_S
        elif not service.has_died() and time.monotonic() > service.retry_at:
            service.wait(0)
        return True

    def stop(self) -> None:
        """Stop everything, the backbone last, so that the rest can say goodbye to it."""
        self.state = "stopping"
        with suppress(SettingsError):
            self.write()
        backbone = [each for each in self.services if each.kind == "backbone"]
        stop_together([each for each in self.services if each not in backbone], STOP_OURS_S)
        stop_together(backbone, STOP_BACKBONE_S)

    def end(self) -> None:
        """Leave word of a failure, and nothing else."""
        self.state = "failed" if self.error else "stopped"
        with suppress(SettingsError):
            self.write()
        if not self.error and self.has_home:
            (self.home.run / RUN_FILE).unlink(missing_ok=True)

    def write(self) -> None:
        """Write what is true now, if it has changed. Raises `SettingsError` where it cannot."""
        document: dict[str, object] = {
            "pid": self.pid,
            "state": self.state,
            "step": self.step,
            "error": self.error,
            "warnings": self.warnings,
            "services": [each.describe() for each in self.services],
        }
        if document != self._written and self.has_home:
            self.home.write_run(RUN_FILE, {**document, "at": datetime.now(UTC).isoformat()})
            self._written = document


def file_id(path: Path | None) -> tuple[int, int] | None:
    """Which file *path* is, whatever is called so later; None where there is none."""
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_dev, found.st_ino)


def stop_together(services: list[Service], timeout_s: float) -> None:
    """Ask all of *services* to end, and kill those that have not after *timeout_s*."""
    for each in services:
        each.terminate()
    deadline = time.monotonic() + timeout_s
    for each in services:
        each.wait(max(0.0, deadline - time.monotonic()))
        each.state = "stopped"
