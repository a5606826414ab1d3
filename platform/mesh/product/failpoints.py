"""Points in the way of the data at which a drill has this process die, freeze or lose patience.

    arm("kill:before-commit:3")    # SIGKILL itself there, the third time
    arm("freeze:before-commit")    # SIGSTOP itself there, the first time
    arm("hurry:commit:4")          # every fourth commit is given a millisecond
    reach("before-commit")         # nothing, unless it is armed

Armed by `arm` alone, at the start of one process; nothing is read from the environment here.
Not for errors that can be raised: a test does that with a subclass.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from mesh.errors import SettingsError

__all__ = ["BATCH_POINTS", "COMMIT", "POINTS", "arm", "disarm", "patience", "reach"]

# In the order of a product's life. There is no rebalance, since partitions are assigned and not
# subscribed to: the nearest to one are the opening of the inputs and the recovery.
POINTS = (
    "initializing",  # init_transactions is asked for, and not answered
    "initialized",  # earlier producers are fenced, the position is not yet read
    "recovering",  # a lost storage has taken in one more batch of what was published
    "recovered",  # it goes on after the position, and has not said what was missing
    "opening-inputs",  # the inputs are assigned, nothing is read
    "storage-committed",  # rows, offsets and outbox are committed, nothing is published
    "half-published",  # the messages are at the broker, their position is not
    "before-commit",  # all of the transaction is at the broker, uncommitted
    "committed",  # Kafka has it, and the outbox does not know
)
# Of a run of a batch product, in their order.
BATCH_POINTS = (
    "delivery-taken",  # a delivery has left the landing folder, and counts nowhere
    "day-written",  # the file of a day is there, and no reader knows it
    "day-published",  # readers go by it, and nobody was told
    "day-announced",  # it is on the topic, and what it replaces is still there
)
COMMIT = "commit"
HURRIED_S = 0.001
ACTIONS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}


@dataclass(slots=True, kw_only=True)
class Failpoint:
    """What is armed: *action* at *point*, the *count*-th time (of `hurry`: every *count*-th)."""

    action: str
    point: str
    count: int
    reached: int = 0

    def act(self, prepare: Callable[[], object]) -> None:
        """Die or freeze here, if it is time; *prepare* is done just before."""
        self.reached += 1
        if self.action in ACTIONS and self.reached == self.count:
            prepare()
            self.say()
            os.kill(os.getpid(), ACTIONS[self.action])

    def is_hurried(self) -> bool:
        """Whether patience is lost this time."""
        self.reached += 1
        if self.action != "hurry" or self.reached % self.count:
            return False
        self.say()
        return True

    def say(self) -> None:
        """Leave a word on standard error, at once: the process may not live to do it later."""
        os.write(2, f"failpoint: {self.action} at {self.point}\n".encode())


_armed: dict[str, Failpoint] = {}


def arm(text: str) -> None:
    """Arm `ACTION:POINT[:COUNT]`. Raises `SettingsError` where that is none."""
    action, _, rest = text.partition(":")
    point, _, count = rest.partition(":")
    points = (*POINTS, *BATCH_POINTS)
    known = (COMMIT,) if action == "hurry" else points if action in ACTIONS else ()
    if point not in known or not (count or "1").isdecimal() or int(count or "1") < 1:
        raise SettingsError(
            f"MESH_FAILPOINT: {text!r} is no failpoint: write kill:POINT, freeze:POINT or "
            f"hurry:{COMMIT}, and :COUNT after it; the points are {', '.join(points)}"
        )
    _armed[point] = Failpoint(action=action, point=point, count=int(count or "1"))


def disarm() -> None:
    """Take back everything that was armed."""
    _armed.clear()


def reach(point: str, prepare: Callable[[], object] = lambda: None) -> None:
    """Say that the process is at *point*.

    *prepare* is done if the process is to end here: it waits for what must have happened.
    """
    found = _armed.get(point)
    if found is not None:
        found.act(prepare)


def patience(point: str) -> float:
    """How long to wait at *point*, in seconds: for ever (-1), unless it is armed."""
    found = _armed.get(point)
    return HURRIED_S if found is not None and found.is_hurried() else -1
