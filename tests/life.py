"""Meshes for tests, each in a folder of its own, driven by the command as a person would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

__all__ = ["ROOT", "Mesh", "Started", "fill", "mounted", "opened", "refusal", "wait_until"]

ROOT = Path(__file__).resolve().parent.parent
# Only a failure takes so long; two meshes start at once on two cores.
TIMEOUT_S = 150.0


def wait_until(
    holds: Callable[[], Any], timeout_s: float = TIMEOUT_S, why: Callable[[], str] = lambda: ""
) -> Any:
    """What *holds* says as soon as it is true; fails when the time is over, and says *why*."""
    end = time.monotonic() + timeout_s
    while not (found := holds()):
        if time.monotonic() > end:
            pytest.fail(f"it did not come to hold within {timeout_s:.0f} s\n{why()}")
        time.sleep(0.02)
    return found


class Started:
    """A command that runs, and what it has said until now."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self._lines.extend(lines)

    @property
    def said(self) -> str:
        """Standard output and standard error, as they came."""
        return "".join(self._lines)

    def until_said(self, text: str) -> None:
        """Wait until it has said *text*."""
        wait_until(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said, self.said

    def end_by(self, number: signal.Signals, timeout_s: float = 20) -> int:
        """Send a signal and wait; the exit code."""
        self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout_s)
        self._reader.join(5)
        return code


@dataclass
class Mesh:
    """One state folder, and the settings that go with it."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The environment of its commands."""
        # What ends a set-up of the machine that tests run on is no setting of the mesh.
        inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
        return {**inherited, "MESH_HOME": str(self.home), **self.settings}

    def run(self, *arguments: str, code: int = 0, **settings: str) -> str:
        """Run a command to its end; all that it said. Asserts its exit code."""
        done = self.result(*arguments, **settings)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said

    def result(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; the whole result."""
        return subprocess.run(
            [sys.executable, "-m", "mesh", *arguments],
            cwd=ROOT,
            env={**self.environment(), **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S * 2,
            check=False,
        )

    def start(self, *arguments: str, **settings: str) -> Started:
        """Start a command and leave it running."""
        process = subprocess.Popen(
            [sys.executable, "-m", "mesh", *arguments],
            cwd=ROOT,
            env={**self.environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Started(process)

    def status(self) -> dict[str, Any]:
        """What `mesh status --json` says."""
        document: dict[str, Any] = json.loads(self.result("status", "--json").stdout)
        return document

    def log(self, service: str) -> str:
        """The last that a service has logged."""
        path = self.home / "logs" / f"{service}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else f"no {path}"

    def service(self, name: str) -> dict[str, Any]:
        """One service of the status."""
        return next(each for each in self.status()["services"] if each["name"] == name)

    def pids(self) -> dict[str, int]:
        """The process of each service."""
        return {each["name"]: each["pid"] for each in self.status()["services"]}

    def calls(self) -> int:
        """How many calls the product has, once none waits."""
        wait_until(lambda: self.service("call-center").get("lag") == 0)
        return int(self.service("call-center")["rows"]["calls"])

    def has_calls(self, count: int) -> bool:
        """Whether the product has come to have exactly this many calls."""
        rows = self.service("call-center").get("rows") or {}
        return bool(rows.get("calls") == count)

    def processes(self) -> list[psutil.Process]:
        """Every process of this mesh, whoever is its parent; not those of the caller."""
        return [each for each in psutil.process_iter() if self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid == os.getpid():
            return False
        marks = {str(self.home), *(v for k, v in self.settings.items() if k == "MESH_CACHE")}
        try:
            words = [*process.cmdline(), process.environ().get("MESH_HOME", ""), process.cwd()]
            return process.status() != psutil.STATUS_ZOMBIE and any(
                mark in word for mark in marks for word in words
            )
        except psutil.Error:
            return False

    def is_gone(self, timeout_s: float = 10) -> bool:
        """Whether no process of this mesh is left, at once or after a moment."""
        wait_until(lambda: not self.processes(), timeout_s)
        return True

    def kill(self) -> None:
        """End whatever is left."""
        for each in self.processes():
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(self.processes(), timeout=5)


@contextmanager
def opened(home: Path, **settings: str) -> Iterator[Mesh]:
    """A mesh in *home* whose processes are gone at the end, whatever the test did."""
    mesh = Mesh(home, settings)
    try:
        yield mesh
    finally:
        mesh.kill()


def refusal(mesh: Mesh, *arguments: str, **settings: str) -> str:
    """Run a command (`up`), and return the one line that says why not."""
    done = mesh.result(*(arguments or ("up",)), **settings)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("mesh: ")
    assert mesh.is_gone(1)
    return lines[0]


def mounted(tmp_path: Path, options: str) -> Iterator[Path]:
    """Mount a disk in memory; only root can, and not in every container."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("needs root and a kernel that lets it mount: run as root, outside a sandbox")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            pass
