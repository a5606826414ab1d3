"""One supervised process: how it is started, whether it is ready, how it ended.

Not here: when it is started again (`supervisor`).
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from mesh.backbone.process import Command, spawn
from mesh.control.forked import Process

__all__ = ["Service"]

TAIL_BYTES = 65_536
LONGEST = 500
# Kafka's first line is an error that is none: it comes without a logging library.
TELLING = re.compile(r"^mesh: |^(?!.*Log4j API).* ERROR |Exception|Error: ")


@dataclass(slots=True, kw_only=True)
class Service:
    """One supervised process.

    *is_ready* is asked until it says yes, *answers* ever after, from another thread; neither may
    raise. *spawn* is how it is started.
    """

    name: str
    kind: str
    command: Command
    is_ready: Callable[[], bool]
    address: Callable[[], str | None] = lambda: None
    after_start: Callable[[], None] = lambda: None
    answers: Callable[[], bool] = lambda: True
    spawn: Callable[[Command], Process] = spawn
    process: Process | None = None
    state: str = "stopped"
    reason: str = ""
    restarts: int = 0
    started_at: float = 0.0
    log_begin: int = 0
    back_off_s: float = 1.0
    retry_at: float = 0.0
    missed: int = 0

    def start(self) -> None:
        """Start the process. Raises `BackboneError` where its log cannot be written."""
        log = self.command.log
        self.log_begin = log.stat().st_size if log.exists() else 0
        self.process = self.spawn(self.command)
        self.started_at, self.missed = time.monotonic(), 0
        self.state = "starting"

    def has_died(self) -> bool:
        """Whether the process has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def terminate(self) -> None:
        """Ask the process to end, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, and kill it after *timeout_s*."""
        if self.process is None:
            return
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def why(self) -> str:
        """How it ended: the signal, or the exit code with the last words of its log."""
        code = self.process.returncode if self.process is not None else None
        if code is not None and code < 0:
            known = {int(each): each.name for each in signal.Signals}
            return f"killed by {known.get(-code, f'signal {-code}')}"
        return f"exit {code}: {self.last_words()}"

    def last_words(self) -> str:
        """The last line since its start that says what happened, and where its log is."""
        # What is indented is where it happened, in a traceback.
        lines = [each for each in self._lines() if each[:1].strip()]
        telling = [each for each in lines if TELLING.search(each)]
        said = (telling or lines or ["it said nothing"])[-1].strip().removeprefix("mesh: ")
        return f"{said[:LONGEST]} (its log: {self.command.log})"

    def _lines(self) -> list[str]:
        try:
            with self.command.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self.log_begin, end - TAIL_BYTES))
                return log.read().decode(errors="replace").splitlines()
        except OSError:
            return []

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
