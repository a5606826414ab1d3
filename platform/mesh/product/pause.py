"""Pausing a product: it takes nothing in and publishes nothing, counts what waits, and goes on.

Kept in a file beside the storage, not in it: a paused product stays paused when it is started
again, even if its storage was lost or an older copy was put back meanwhile.
Not here: who may pause (`ports.management`), the loop that rests (`runtime`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from mesh.errors import MeshError, StorageError
from mesh.home import write_private
from mesh.product.inputs import Inputs

__all__ = ["Pause", "Paused", "Rest"]

COUNT_S = 1.0
# How long the ends of the inputs are waited for, where they were not being read before.
FIRST_READ_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """Who paused, when (an instant as text), and why."""

    by: str
    at: str
    reason: str = ""

    def __str__(self) -> str:
        return f"by {self.by} at {self.at}" + (f": {self.reason}" if self.reason else "")


class Pause:
    """Whether one product is paused. May be used from any thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what the process before has left; without *path* nothing is kept."""
        self._path = path
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self.paused = read(path) if path is not None and path.exists() else None

    def pause(self, by: str, reason: str = "") -> Paused:
        """Pause from the next batch on; who was first stays the one who paused."""
        with self._lock:
            if self.paused is None:
                at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
                paused = Paused(by=by, at=at, reason=reason)
                if self._path is not None:
                    write_private(self._path, json.dumps(asdict(paused)))
                self.paused = paused
            return self.paused

    def resume(self) -> Paused | None:
        """Go on; what was ended, or None where nothing was paused.

        Raises `StorageError` where the file cannot be removed; then it stays paused.
        """
        with self._lock:
            ended = self.paused
            try:
                if self._path is not None:
                    self._path.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(f"{self._path} cannot be removed: {error.strerror}") from error
            self.paused = None
            self._changed.set()
            return ended

    def wait(self, timeout_s: float) -> None:
        """Wait for a resumption, at most this long."""
        self._changed.wait(timeout_s)
        self._changed.clear()


class Rest:
    """What a runtime does while its product is paused: it counts what waits, and looks again."""

    def __init__(
        self,
        pause: Pause,
        open_inputs: Callable[[], Inputs],
        report: Callable[[str, str], None],
    ) -> None:
        self._pause, self._open, self._report = pause, open_inputs, report
        self._meter: Inputs | None = None
        self._unread = self._waiting = 0
        self._counted_at = 0.0
        self._is_resting = False

    def take(self, inputs: Inputs | None, timeout_s: float) -> int | None:
        """Rest for *timeout_s* if the product is paused, and say how many messages wait.

        None where it is not paused. *inputs* are those that were being read, if any.
        """
        paused = self._pause.paused
        if paused is None:
            self._end(has_inputs=inputs is not None)
            return None
        self._is_resting = True
        trouble = ""
        if time.monotonic() - self._counted_at >= COUNT_S:
            self._counted_at = time.monotonic()
            try:
                self._waiting = self._lag(inputs)
            except MeshError as error:
                # Whatever it is will be met, and told, when the product goes on.
                trouble = f" (what waits cannot be counted: {error})"
            self._report("paused", f"{paused}{trouble}")
        self._pause.wait(timeout_s)
        return self._waiting

    def _lag(self, inputs: Inputs | None) -> int:
        """How many messages wait. Nothing is fetched meanwhile, so the broker is asked."""
        if inputs is not None:
            return inputs.lag(is_fresh=True)
        if self._meter is None:
            self._meter = self._open()
            # What ends a topic may be no message: only reading tells. Read again after the pause.
            self._unread = sum(map(len, self._meter.drain(FIRST_READ_S).values()))
        return self._unread + self._meter.lag(is_fresh=True)

    def _end(self, *, has_inputs: bool) -> None:
        self.close()
        if self._is_resting:
            self._is_resting, self._counted_at = False, 0.0
            self._report("running" if has_inputs else "starting", "")

    def close(self) -> None:
        """Let go of Kafka."""
        if self._meter is not None:
            self._meter.close()
            self._meter = None


def read(path: Path) -> Paused:
    """What *path* says. Raises `StorageError` where it is damaged: paused or not is no guess."""
    try:
        return Paused(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise StorageError(
            f"{path} cannot be read ({error}): remove it, and pause the product again if need be"
        ) from error
