"""Feels the pulse of services: one that is alive and does not answer is frozen.

A thread apart from the supervisor's, which must not wait for an answer. It ends nothing; the
supervisor does.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from mesh.control.service import Service

__all__ = ["Pulse", "is_frozen"]

PAUSE_S = 5.0
# In a row, each after as long as the question waits.
MOST_MISSED = 3


class Pulse:
    """Asks *services* that run, again and again, and counts what they leave unanswered."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def _run(self) -> None:
        while not self._is_over.wait(PAUSE_S):
            for each in list(self._services):
                self._ask(each)

    def _ask(self, service: Service) -> None:
        process = service.process
        if service.state != "running" or process is None:
            return
        is_alive = service.answers()
        # Another process has taken its place meanwhile: what was asked is not it.
        if service.process is process:
            service.missed = 0 if is_alive else service.missed + 1


def is_frozen(service: Service) -> bool:
    """Whether *service* has left too much unanswered."""
    return service.missed >= MOST_MISSED
