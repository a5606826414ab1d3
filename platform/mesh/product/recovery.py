"""How a product goes on with a storage that is torn, older or lost, or with another query.

What was published is the truth; a state port's table is a cache of it. Nothing is published
here, and whatever is begun may be begun again at any point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.product.engine import Engine
from mesh.product.inputs import Inputs
from mesh.product.intake import Arrival, Intake
from mesh.product.offsets import before
from mesh.product.plan import Input, Plan, StateOutput
from mesh.product.relay import Batch, Offsets, Position
from mesh.product.storage import Storage

__all__ = ["Recovery"]

POLL_S = 0.1
Read = Callable[[dict[str, list[Message]]], list[Arrival]]


class Recovery:
    """Brings *storage* to where it may go on; *read* turns messages of its inputs into rows."""

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        engine: Engine,
        read: Read,
        *,
        endpoint: Endpoint,
        principal: Principal,
        registry: Registry,
    ) -> None:
        self._plan, self._storage, self._engine, self._read = plan, storage, engine, read
        self._endpoint, self._principal, self._registry = endpoint, principal, registry

    def recover(
        self, position: Position, stop: threading.Event, tell: Callable[[int, str], None]
    ) -> Sequence[Batch] | None:
        """Take in, muted, what led to *position*; the batches that make the state ports true.

        State inputs are read from their beginning to their end, event inputs up to exactly the
        position. None if *stop* was set before it got there. *tell* is told lag and news.
        """
        self._check_not_ahead(position)
        self._storage.forget([(each.name, each.contract.topic) for each in self._plan.state_inputs])
        contracts = [each.contract for each in self._plan.inputs]
        inputs = self._open(contracts, self._storage.offsets)
        try:
            self._check_complete(position, inputs)
            for gap in inputs.check_holds(position.offsets):
                tell(inputs.lag(), gap)
            ends = dict(position.offsets)
            for each in self._plan.state_inputs:
                ends[each.contract.topic] = inputs.first_ends[each.contract.topic]
            if not self._take_in(inputs, ends, stop, tell):
                return None
        finally:
            inputs.close()
        return self._engine.compare(self._plan.states, self._published, position)

    def refresh(
        self, stop: threading.Event, tell: Callable[[int, str], None]
    ) -> Sequence[Batch] | None:
        """The batches that make state ports true whose query or contract is new or other.

        State inputs are read to their end before, so that what is still to come is not gone.
        """
        stale = self._engine.states.stale()
        if not stale:
            return ()
        contracts = [each.contract for each in self._plan.state_inputs]
        if contracts:
            inputs = self._open(contracts, self._storage.offsets)
            try:
                if not self._take_in(inputs, inputs.first_ends, stop, tell):
                    return None
            finally:
                inputs.close()
        # Muted, the other ports have not been computed either.
        outputs = self._plan.states if contracts else stale
        return self._engine.compare(outputs, self._published)

    def _take_in(
        self,
        inputs: Inputs,
        ends: Offsets,
        stop: threading.Event,
        tell: Callable[[int, str], None],
    ) -> bool:
        """Take in, muted, what stands before *ends*; whether it got there before *stop*."""
        while not inputs.has_reached(ends):
            if stop.is_set():
                return False
            tell(inputs.lag(), "")
            due = before(inputs.drain(POLL_S), ends)
            if due:
                self._engine.take_in(self._read(due), inputs.next_offsets(due), is_muted=True)
        return True

    def _published(self, output: StateOutput) -> Iterator[Arrival]:
        """What a state port's own topic says, from its beginning to its end."""
        contract = output.contract
        source = Input(
            name=contract.name, contract=contract, rejected_topic=contract.rejected_topic
        )
        intake = Intake(source, self._registry, self._engine.checker)
        inputs = self._open([contract], {})
        try:
            while not inputs.has_reached(inputs.first_ends):
                for messages in before(inputs.drain(POLL_S), inputs.first_ends).values():
                    yield intake.read(messages)
        finally:
            inputs.close()

    def _open(self, contracts: Sequence[Contract], offsets: Offsets) -> Inputs:
        return Inputs(self._endpoint, self._principal, contracts, offsets)

    def _check_not_ahead(self, position: Position) -> None:
        """Raise where the storage has taken in what the published position never saw."""
        events = [
            each.contract.topic for each in self._plan.inputs if each.contract.kind != "state"
        ]
        for topic in events:
            for number, offset in self._storage.offsets.get(topic, {}).items():
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
                if start > 0 and number not in self._storage.offsets.get(topic, {}):
                    raise StorageError(
                        f"{topic} [{number}] begins at offset {start} by now, and the state ports "
                        f"of {self._plan.product.id} are made of all that was there: put a copy "
                        "of its storage back, however old"
                    )
