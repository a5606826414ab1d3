"""What a product does that was away for longer than its inputs remember deletions.

A compacted topic forgets a tombstone some time after it. Not here: knowing how long it was
(`life`), and a storage that is torn or lost (`recovery`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from mesh.backbone.topics import cleanup_policy
from mesh.product.fanout import taken_in
from mesh.product.intake import Arrival
from mesh.product.plan import Input
from mesh.product.position import Batch, Position
from mesh.product.rereading import POLL_S, Rereading, Tell
from mesh.product.vanished import Vanished

__all__ = ["CatchingUp"]


class CatchingUp:
    """Finds the deletions that a storage has missed."""

    def __init__(self, inputs: Rereading) -> None:
        self._inputs, self._plan = inputs, inputs.plan

    def catch_up(
        self, position: Position | None, stop: threading.Event, tell: Tell
    ) -> Iterator[Batch]:
        """Find the deletions that came and went while nobody looked; yields what to publish.

        Event inputs are compared with what is left of them. State inputs are read from their
        beginning, muted up to *position*; `refresh` then makes the state ports true. Told to
        stop, it ends early, and has to be begun again.
        """
        events = [each for each in self._plan.inputs if each.contract.kind == "event"]
        compacted = [each for each in events if "compact" in cleanup_policy(each.contract)]
        gone = [arrival for each in compacted for arrival in self._vanished(each, stop)]
        if stop.is_set():
            return
        if gone or self._plan.state_inputs:
            # First: what is stale stays so until `refresh` has read all there is.
            self._inputs.engine.states.make_stale()
        for arrival in gone:
            take_in = self._inputs.engine.take_in
            yield from taken_in(take_in, [arrival], {}, has_states=False)
        if self._plan.state_inputs:
            self._reread(position, stop, tell)

    def _reread(self, position: Position | None, stop: threading.Event, tell: Tell) -> None:
        """Take state inputs in from their beginning, muted up to *position*."""
        self._inputs.forget()
        if position is None:
            return
        topics = [each.contract.topic for each in self._plan.state_inputs]
        ends = {topic: position.offsets[topic] for topic in topics if topic in position.offsets}
        if self._inputs.muted(
            [each.contract for each in self._plan.state_inputs], ends, stop, tell
        ):
            self._inputs.replayed(position, stop, tell)

    def _vanished(self, source: Input, stop: threading.Event) -> Sequence[Arrival]:
        """What an event input's topic has deleted and forgotten, as tombstones would say it."""
        with Vanished(self._inputs.storage, source) as vanished:
            inputs = self._inputs.open([source.contract], {})
            try:
                while not inputs.has_reached(inputs.first_ends):
                    if stop.is_set():
                        return []
                    for messages in inputs.drain(POLL_S).values():
                        vanished.saw(messages)
            finally:
                inputs.close()
            return vanished.found(inputs.starts[source.contract.topic])
