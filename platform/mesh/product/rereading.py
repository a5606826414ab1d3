"""Reads inputs again from where a storage stands, without saying again what was said.

What a recovery and a catching up have in common. Nothing is published here, and whatever is
begun may be begun again at any point.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.contract.model import Contract
from mesh.product.engine import Engine
from mesh.product.fanout import taken_in
from mesh.product.inputs import Inputs
from mesh.product.intake import Arrival
from mesh.product.offsets import before
from mesh.product.plan import Plan
from mesh.product.position import Offsets, Position
from mesh.product.retry import retry_contract
from mesh.product.storage import Storage

__all__ = ["POLL_S", "Read", "Rereading", "Tell"]

POLL_S = 0.1
Read = Callable[[dict[str, list[Message]]], list[Arrival]]
# Lag, and news if there are any.
Tell = Callable[[int, str], None]


class Rereading:
    """Reads the inputs of *plan*; *read* turns messages into rows, *engine* takes them in."""

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
        self.plan, self.storage, self.engine, self._read = plan, storage, engine, read
        self.endpoint, self.principal, self.registry = endpoint, principal, registry

    def arrivals(
        self, inputs: Inputs, ends: Offsets, tell: Tell
    ) -> Iterator[tuple[list[Arrival], Offsets]]:
        """What stands before *ends*, in batches with the offsets after each; may be empty."""
        while not inputs.has_reached(ends):
            tell(inputs.lag(), "")
            due = before(inputs.drain(POLL_S), ends)
            yield self._read(due), inputs.next_offsets(due)

    def open(self, contracts: Sequence[Contract], offsets: Offsets) -> Inputs:
        """The inputs of *contracts* from *offsets*; retries may have gone meanwhile."""
        retries = {each.retry_topic for each in self.plan.replayable}
        return Inputs(self.endpoint, self.principal, contracts, offsets, retries)

    def muted(
        self, contracts: Sequence[Contract], ends: Offsets, stop: threading.Event, tell: Tell
    ) -> bool:
        """Take in, muted, what stands before *ends*; whether before *stop* was set."""
        if not contracts:
            return True
        inputs = self.open(contracts, self.storage.offsets)
        try:
            inputs.check_holds(ends)
            for arrivals, offsets in self.arrivals(inputs, ends, tell):
                if stop.is_set():
                    return False
                if offsets:
                    self.take_in_muted(arrivals, offsets)
        finally:
            inputs.close()
        return True

    def take_in_muted(self, arrivals: Sequence[Arrival], offsets: Offsets) -> None:
        """Take in what was said before."""
        for _ in taken_in(self.engine.take_in, arrivals, offsets, is_muted=True):
            pass

    def replayed(self, position: Position, stop: threading.Event, tell: Tell) -> bool:
        """Take in, muted, what was replayed before *position*, now that its originals were read.

        Whether it got there before *stop* was set.
        """
        sources = {each.retry_topic: each for each in self.plan.replayable}
        ends = {topic: each for topic, each in position.offsets.items() if topic in sources}
        return self.muted([retry_contract(sources[topic]) for topic in ends], ends, stop, tell)

    def forget(self) -> None:
        """Drop the state inputs, and what was replayed of them."""
        states = self.plan.state_inputs
        retries = {each.retry_topic for each in states}
        self.storage.forget({each.name: each.contract for each in states}, retries)
