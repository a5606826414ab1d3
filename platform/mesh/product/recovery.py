"""How a product goes on with a storage that is torn, older or lost, or with another query.

What was published is the truth; a state port's table is a cache of it. Nothing is published
here, and whatever is begun may be begun again at any point.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from mesh.errors import StorageError
from mesh.product.failpoints import reach
from mesh.product.fanout import taken_in
from mesh.product.inputs import Inputs
from mesh.product.intake import Arrival, Intake
from mesh.product.offsets import before
from mesh.product.plan import Input, StateOutput
from mesh.product.position import Batch, Offsets, Position
from mesh.product.rejection import Rejection
from mesh.product.rereading import POLL_S, Rereading, Tell

__all__ = ["Recovery", "another", "no_position"]


class Recovery:
    """Brings a storage that is not what was published to where it may go on."""

    def __init__(self, inputs: Rereading) -> None:
        self._inputs, self._plan = inputs, inputs.plan

    def recover(
        self, position: Position, stop: threading.Event, tell: Tell
    ) -> Iterable[Batch] | None:
        """Take in, muted, what led to *position*; the batches that make the state ports true.

        State inputs are read from their beginning to their end, event inputs up to exactly the
        position. None if *stop* was set before it got there. *tell* is told lag and news.
        """
        self._check_not_ahead(position)
        self._inputs.forget()
        contracts = [each.contract for each in self._plan.inputs]
        inputs = self._inputs.open(contracts, self._inputs.storage.offsets)
        try:
            self._check_complete(position, inputs)
            for gap in inputs.check_holds(position.offsets):
                tell(inputs.lag(), gap)
            ends = dict(position.offsets)
            for each in self._plan.state_inputs:
                ends[each.contract.topic] = inputs.first_ends[each.contract.topic]
            unsaid: list[tuple[Input, Rejection]] = []
            for arrivals, offsets in self._inputs.arrivals(inputs, ends, tell):
                if stop.is_set():
                    return None
                unsaid += late(arrivals, position.offsets)
                if arrivals:
                    self._inputs.take_in_muted(arrivals, offsets)
                    reach("recovering")
        finally:
            inputs.close()
        if not self._inputs.replayed(position, stop, tell):
            return None
        return self._inputs.engine.compare(self._plan.states, self._published, position, unsaid)

    def refresh(self, stop: threading.Event, tell: Tell) -> Iterator[Batch]:
        """Make state ports true whose query or contract is new or other; yields what to publish.

        Inputs are read to their end before, so that what is still to come is not gone: those of
        state, and of events too where the port has said something before. Told to stop, it ends
        early; the next start begins it again.
        """
        stale = self._inputs.engine.states.stale()
        if not stale:
            return
        contracts = [each.contract for each in self._plan.state_inputs]
        if self._inputs.storage.seq:
            names = {name for each in stale for name in each.query.inputs}
            events = [each for each in self._plan.inputs if each.contract.kind != "state"]
            contracts += [each.contract for each in events if each.name in names]
        if contracts:
            # The other ports are not computed meanwhile either, whatever the next start finds.
            stale = self._inputs.engine.states.make_stale()
            inputs = self._inputs.open(contracts, self._inputs.storage.offsets)
            try:
                for arrivals, offsets in self._inputs.arrivals(inputs, inputs.first_ends, tell):
                    if stop.is_set():
                        return
                    if arrivals:
                        take_in = self._inputs.engine.take_in
                        yield from taken_in(take_in, arrivals, offsets, has_states=False)
            finally:
                inputs.close()
        yield from self._inputs.engine.compare(stale, self._published)

    def _published(self, output: StateOutput) -> Iterator[Arrival]:
        """What a state port's own topic says, from its beginning to its end."""
        contract = output.contract
        source = Input(
            name=contract.name, contract=contract, rejected_topic=contract.rejected_topic
        )
        intake = Intake(source, self._inputs.registry, self._inputs.engine.checker)
        inputs = self._inputs.open([contract], {})
        try:
            while not inputs.has_reached(inputs.first_ends):
                for messages in before(inputs.drain(POLL_S), inputs.first_ends).values():
                    yield intake.read(messages)
        finally:
            inputs.close()

    def _check_not_ahead(self, position: Position) -> None:
        """Raise where the storage has taken in what the published position never saw."""
        events = [
            each.contract.topic for each in self._plan.inputs if each.contract.kind != "state"
        ]
        for topic in events:
            for number, offset in self._inputs.storage.offsets.get(topic, {}).items():
                if offset > position.offsets.get(topic, {}).get(number, 0):
                    raise StorageError(
                        f"the storage of {self._plan.product.id} is ahead of what was published "
                        f"at {topic} [{number}], and not from this mesh: remove it to rebuild"
                    )

    def _check_complete(self, position: Position, inputs: Inputs) -> None:
        """Raise where events are gone that a state port is made of.

        An event port has published what it made of them; a state port would forget them.
        """
        read = {name for each in self._plan.states for name in each.query.inputs}
        for source in self._plan.inputs:
            topic = source.contract.topic
            if source.name not in read or source.contract.kind == "state":
                continue
            for number in position.offsets.get(topic, {}):
                start = inputs.starts[topic][number]
                if start > 0 and number not in self._inputs.storage.offsets.get(topic, {}):
                    raise StorageError(
                        f"{topic} [{number}] begins at offset {start} by now, and the state ports "
                        f"of {self._plan.product.id} are made of all that was there: put a copy "
                        "of its storage back, however old"
                    )


def late(arrivals: Sequence[Arrival], offsets: Offsets) -> Iterator[tuple[Input, Rejection]]:
    """The rejections that stand at or after *offsets*, with the inputs they came by."""
    for arrival in arrivals:
        for each in arrival.rejections:
            if each.offset >= offsets.get(each.topic, {}).get(each.partition, 0):
                yield arrival.source, each


def no_position(product: str) -> StorageError:
    """The error for what has published, and Kafka does not know it any more."""
    return StorageError(
        f"Kafka has lost the position of {product}, whose storage has published: its topics were "
        "made anew; remove the storage to start over"
    )


def another(product: str) -> StorageError:
    """The error for a position that this process, which has published, did not write."""
    return StorageError(f"another process has published as {product}: only one may run")
