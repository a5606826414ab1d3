"""What a product does at its start to be where it may go on, whatever became of its storage.

Which of the ways is needed is told apart here; what each does stands in `recovery` and
`catching_up`, and when all is right in `runtime`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mesh.product.catching_up import CatchingUp
from mesh.product.failpoints import reach
from mesh.product.life import Life
from mesh.product.position import Batch, Position
from mesh.product.progress import Progress
from mesh.product.recovery import Recovery
from mesh.product.rereading import Rereading

__all__ = ["Mending"]


class Mending:
    """Mends one storage and the ports that follow from it; *publish* says what is new.

    *show* returns once Kafka shows all that was published: only then may a port be compared with
    its topic, or what is on its way would be said again.
    """

    def __init__(
        self,
        inputs: Rereading,
        progress: Progress,
        publish: Callable[[Batch], None],
        show: Callable[[Callable[[], bool]], None],
    ) -> None:
        self._engine = inputs.engine
        self._recovery, self._catching_up = Recovery(inputs), CatchingUp(inputs)
        self._progress, self._publish, self._show = progress, publish, show

    def recover(self, position: Position, stop: threading.Event) -> bool:
        """The storage is torn, older or lost: what was published is the truth.

        Whether it got there before *stop* was set. May be begun again at any point.
        """
        self._progress.report("recovering", "the storage is behind what was published")
        if self._recovery.recover(position, stop, self._progress.tell) is None:
            return False  # what it made is read from the storage, as after any start
        reach("recovered")
        self._progress.log(f"recovered up to batch {position.batch}")
        return True

    def make_true(self, position: Position | None, life: Life, stop: threading.Event) -> None:
        """Find the deletions that were missed, and compare what is stale with its topic."""
        is_overdue, tell = life.is_overdue, self._progress.tell
        if is_overdue:
            reason = f"away for {life.away}: deletions may be missed"
            self._progress.report("recovering", reason)
            for batch in self._catching_up.catch_up(position, stop, tell):
                self._publish(batch)
        if self._engine.states.stale():
            reason = "state ports are compared with what they have published"
            self._progress.report("recovering", reason)
            self._show(stop.is_set)
        for batch in self._recovery.refresh(stop, tell):
            self._publish(batch)
        if is_overdue and not stop.is_set():
            life.met()
