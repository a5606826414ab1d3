"""What a drill breaks: the product's process, and Kafka's. Used from one thread, which spawns them.

Whatever became of them, they are gone at the end: killed by us, or with us by the kernel.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.endpoint import Endpoint
from mesh.backbone.process import Command, last_lines, spawn
from mesh.drills.bed import PRODUCT, Bed
from mesh.errors import BackboneError, MeshError
from mesh.observe.status import ask_status
from mesh.settings import Settings

__all__ = ["Broker", "Process", "Stuck", "embedded_broker", "until"]

PATIENCE_S = 90.0
POLL_S = 0.01


class Stuck(MeshError):
    """What was broken does not come back: the drill's verdict is that it does not hold."""


class Process:
    """The product's process in one bed. *program* is what runs `mesh`."""

    def __init__(self, bed: Bed, program: Sequence[str]) -> None:
        self.bed, self._program = bed, program
        self._log = bed.home.logs / f"{PRODUCT}.log"
        self._begin = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, failpoint: str = "") -> None:
        """Start it, perhaps with a failpoint armed, and do not wait."""
        self._begin = self._log.stat().st_size if self._log.exists() else 0
        self._process = spawn(
            Command(
                argv=(*self._program, "run", PRODUCT),
                env=self.bed.environment(failpoint),
                cwd=self.bed.project.root,
                log=self._log,
            )
        )

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def said(self, text: str) -> int:
        """How often it has said *text* since its start."""
        if not self._log.exists():
            return 0
        with self._log.open("rb") as log:
            log.seek(self._begin)
            return log.read().count(text.encode())

    def await_said(self, text: str, times: int = 1) -> None:
        """Wait until it has said *text*. Raises `Stuck` where it ends before, or does not."""
        until(lambda: self.said(text) >= times or not self.is_alive(), f"{text!r} of the product")
        if self.said(text) < times:
            raise Stuck(f"the product ended: {' '.join(last_lines(self._log, 1))}")

    def await_running(self) -> None:
        """Wait until it takes in what arrives."""
        self.await_said("Z running")

    def await_death(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end; how it ended, as `Popen` says it."""
        until(lambda: not self.is_alive(), "the end of the product", timeout_s)
        return self._process.returncode if self._process is not None else 0

    def status(self) -> Mapping[str, object]:
        """What it says of itself; nothing if it does not answer."""
        address = self.bed.home.address(PRODUCT)
        return (ask_status(address, 1.0) if address else None) or {}

    def rows(self, port: str) -> int:
        """How many rows it has of a port, by its own word."""
        rows = self.status().get("rows")
        return int(rows.get(port, 0)) if isinstance(rows, dict) else 0

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self._process is not None and self.is_alive():
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, which a frozen process obeys too."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End it as a person would. Raises `Stuck` where it does not."""
        self.signal(signal.SIGTERM)
        self.await_death()


class Broker:
    """Kafka's process on an embedded backbone."""

    def __init__(self, backbone: EmbeddedBackbone) -> None:
        self.backbone = backbone
        self._command = backbone.commands()["kafka"]
        self._process = spawn(self._command)

    def endpoint(self) -> Endpoint:
        """Where it and the registry stand."""
        return Endpoint(
            bootstrap_servers=self.backbone.bootstrap_servers,
            registry_url=self.backbone.registry_url,
        )

    def await_ready(self) -> None:
        """Wait until it answers. Raises `BackboneError` where it ends instead."""
        until(lambda: self.backbone.is_kafka_ready() or self._has_ended(), "Kafka")
        if self._has_ended():
            lines = "; ".join(last_lines(self._command.log, 3))
            raise BackboneError(f"Kafka did not start: {lines}")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Start it again on the same folder and port."""
        self._process = spawn(self._command)
        self.await_ready()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its time stands still for a block: connections stay, and nobody answers."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def slow_down(self, seconds: float) -> None:
        """Give it a fifth of its time for some seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.frozen():
                time.sleep(0.4)
            time.sleep(0.1)

    def _has_ended(self) -> bool:
        return self._process.poll() is not None


@contextmanager
def embedded_broker(folder: Path, settings: Settings) -> Iterator[Broker]:
    """A Kafka and a registry of our own in *folder*, killed at the end.

    Raises `BackboneError` where they do not come up.
    """
    backbone = EmbeddedBackbone(folder, settings.cache)
    backbone.install(settings.maven_mirror, lambda *_: None, offline=settings.offline)
    registry = spawn(backbone.commands()["registry"])
    broker = Broker(backbone)
    try:
        broker.await_ready()
        until(lambda: backbone.is_registry_ready() or registry.poll() is not None, "the registry")
        backbone.after_start()
        yield broker
    finally:
        broker.kill()
        registry.kill()
        registry.wait()
        backbone.close()


def until(holds: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait until *holds* is true. Raises `Stuck` where it does not come to be."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            raise Stuck(f"{what}: nothing within {timeout_s:.0f} s")
        time.sleep(POLL_S)
