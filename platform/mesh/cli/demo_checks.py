"""What the demo's steps look at, and how they say that something does not hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from mesh.cli.app import App
from mesh.cli.status import status_document
from mesh.errors import DemoFailed

__all__ = [
    "WAIT_S",
    "arrived",
    "call_center",
    "calls_of",
    "check",
    "list_of",
    "seconds",
    "services",
    "until",
]

WAIT_S = 60.0


def check(holds: object, what: str) -> None:
    """Raise `DemoFailed` unless *holds*."""
    if not holds:
        raise DemoFailed(f"the demo does not hold: {what}")


def services(app: App) -> list[Mapping[str, object]]:
    """Every service with its status."""
    found = status_document(app)["services"]
    return found if isinstance(found, list) else []


def call_center(app: App) -> Mapping[str, object]:
    """The call-center product's status."""
    return next((each for each in services(app) if each["name"] == "call-center"), {})


def calls_of(status: Mapping[str, object]) -> int:
    """How many calls the product has, by its status; -1 if it does not say."""
    rows = status.get("rows")
    return int(rows.get("calls", 0)) if isinstance(rows, dict) else -1


def until(holds: Callable[[], object], wait_s: float = WAIT_S) -> bool:
    """Whether something came to hold in time."""
    deadline = time.monotonic() + wait_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def arrived(app: App, count: int) -> bool:
    """Whether the product took in at least *count* calls in time, and none waits."""

    def is_there() -> bool:
        status = call_center(app)
        return calls_of(status) >= count and status.get("lag") == 0

    return until(is_there)


def list_of(document: Mapping[str, object], key: str) -> list[object]:
    """A list of a JSON document."""
    value = document[key]
    return value if isinstance(value, list) else []


def seconds(call: Mapping[str, object]) -> int:
    """Whole seconds from start to end, as Python counts them."""
    from datetime import datetime

    start, end_ = (datetime.fromisoformat(str(call[k])) for k in ("started_at", "ended_at"))
    return int((end_ - start).total_seconds())
