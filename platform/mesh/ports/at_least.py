"""Waits until a storage has taken in what a reader has seen elsewhere, so that no answer is older.

    Mesh-At-Least: {"priv.sales.contracts.commands.v1": {"0": 7}}

Offsets as an answer carries them, of a command, say. Not here: reading the rows (`door`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from mesh.errors import WrongUse
from mesh.ports.bodies import json_of
from mesh.ports.refusals import Busy

__all__ = ["HEADER", "has_reached", "wait_for"]

HEADER = "Mesh-At-Least"
PATIENCE_S = 10.0
LOOK_S = 0.01
Offsets = Mapping[str, Mapping[str, int]]


def wait_for(text: str, offsets: Callable[[], Offsets]) -> None:
    """Return once *offsets* are those of *text* or later.

    Raises `WrongUse` where it is no offsets, `Busy` when it takes too long.
    """
    wanted, deadline = read(text), time.monotonic() + PATIENCE_S
    while not has_reached(offsets(), wanted):
        if time.monotonic() > deadline:
            raise Busy("the product has not taken in all of that yet: try again")
        time.sleep(LOOK_S)


def read(text: str) -> Offsets:
    """The offsets in *text*. Raises `WrongUse`."""
    try:
        document: Any = json_of(text)
        return {
            str(topic): {str(int(number)): int(offset) for number, offset in each.items()}
            for topic, each in document.items()
        }
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise WrongUse(
            f'write {HEADER} as the offsets of an answer: {{"TOPIC": {{"0": 7}}}}'
        ) from error


def has_reached(offsets: Offsets, wanted: Offsets) -> bool:
    """Whether *offsets* are *wanted*, or later. A topic that is not read is never reached."""
    return all(
        offsets.get(topic, {}).get(number, 0) >= offset
        for topic, each in wanted.items()
        for number, offset in each.items()
    )
