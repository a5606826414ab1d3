"""The loop of one product: drain, commit, publish; and what happens after anything fails.

    storage transaction: rows, offsets, output, outbox      (`engine`)
    Kafka transaction:   messages, position                 (`relay`)

At start and after every failure the position in Kafka decides how to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.errors import StorageError, Unreachable
from mesh.product.engine import Engine
from mesh.product.inputs import Inputs, before
from mesh.product.intake import Intake
from mesh.product.plan import Plan, position_topic
from mesh.product.relay import Batch, Offsets, Position, Relay, RelayFailed
from mesh.product.storage import Storage

__all__ = ["Progress", "Runtime"]

POLL_S = 0.1
RETRY_S = 1.0
Log = Callable[[str], None]


@dataclass(slots=True)
class Progress:
    """What a running product says of itself."""

    state: str = "starting"
    reason: str = ""
    lag: int = 0
    last_arrival_at: datetime | None = None
    freshness_s: float | None = None
    offsets: Offsets = field(default_factory=dict)


class Runtime:
    """Runs one product until told to stop. One thread; `progress` may be read by others."""

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        *,
        endpoint: Endpoint,
        principal: Principal,
        log: Log = lambda _: None,
    ) -> None:
        self.plan, self._storage, self._log = plan, storage, log
        self._endpoint, self._principal = endpoint, principal
        product = plan.product
        self._relay = Relay(
            endpoint,
            principal,
            position_topic=position_topic(product),
            source=f"/{product.domain}/{product.id}",
        )
        self._registry = Registry(endpoint)
        self._engine: Engine | None = None
        self._inputs: Inputs | None = None
        self._intakes: dict[str, Intake] = {}
        self._has_published = False
        self.progress = Progress(offsets=storage.offsets)

    def run(self, stop: threading.Event) -> None:
        """Run until *stop* is set; waits out an absent Kafka or registry.

        Raises `StorageError` and the like for what does not pass by itself.
        """
        try:
            while not stop.is_set():
                try:
                    if self._inputs is None:
                        self._start()
                    self.step(POLL_S)
                except (Unreachable, RelayFailed) as error:
                    self._report("waiting", str(error))
                    # What was drained and not committed is read again from the storage's offsets.
                    self._close_inputs()
                    stop.wait(RETRY_S if isinstance(error, Unreachable) else 0)
        finally:
            self.close()

    def step(self, timeout_s: float) -> int:
        """Take in and publish what has arrived; how many messages that was."""
        engine, inputs = self._running()
        drained = inputs.drain(timeout_s)
        self.progress.lag = inputs.lag()
        if not drained:
            return 0
        arrivals = [self._intakes[topic].read(messages) for topic, messages in drained.items()]
        batch = engine.take_in(arrivals, inputs.next_offsets(drained))
        self._arrived(max(each.causes["time"][-1].as_py() for each in arrivals))
        self._publish(batch)
        return sum(map(len, drained.values()))

    def close(self) -> None:
        """Let go of Kafka and the registry; the storage is the caller's."""
        self._close_inputs()
        self._relay.close()
        self._registry.close()

    def _start(self) -> None:
        """Find out what was published last, and go on after it."""
        if self._engine is None:
            self._engine = Engine(self.plan, self._storage, self._registry)
            self._intakes = {
                each.contract.topic: Intake(each, self._registry, self._engine.checker)
                for each in self.plan.inputs
            }
        position = self._relay.open()
        if position is None:
            self._check_never_published()
        elif not self._storage.knows(position):
            self._recover(position)
        self._storage.published = position
        for batch in self._storage.unpublished(position):
            self._publish(batch)
        self._inputs = self._open_inputs()
        self._report("running", "")

    def _publish(self, batch: Batch) -> None:
        if batch.outbox.num_rows:
            self._relay.publish(batch)
            self._storage.published = batch.position
            self._has_published = True

    def _check_never_published(self) -> None:
        """Kafka has no position: right only if everything ever said still waits here."""
        if self._has_published or not self._storage.is_outbox_whole():
            raise StorageError(
                f"Kafka has lost the position of {self.plan.product.id}, whose storage has "
                "published: its topics were made anew; remove the storage to start over"
            )

    def _recover(self, position: Position) -> None:
        """The storage is torn, older or lost: what was published is the truth.

        Takes in, muted, everything up to exactly the position; then goes on after it.
        """
        if self._has_published:
            raise StorageError(
                f"another process has published as {self.plan.product.id}: only one may run"
            )
        self._report("recovering", "the storage is behind what was published")
        self._check_not_ahead(position)
        inputs = self._open_inputs()
        try:
            while not inputs.has_reached(position.offsets):
                drained = inputs.drain(POLL_S)
                due = before(drained, position.offsets)
                if due:
                    arrivals = [self._intakes[topic].read(each) for topic, each in due.items()]
                    self._running_engine().take_in(
                        arrivals, inputs.next_offsets(due), is_muted=True
                    )
        finally:
            inputs.close()
        self._storage.adopt(position)
        self._log(f"recovered up to batch {position.batch}")

    def _check_not_ahead(self, position: Position) -> None:
        """Raise where the storage has taken in what the published position never saw."""
        for topic, partitions in self._storage.offsets.items():
            for number, offset in partitions.items():
                if offset > position.offsets.get(topic, {}).get(number, 0):
                    raise StorageError(
                        f"the storage of {self.plan.product.id} is ahead of what was published "
                        f"at {topic} [{number}], and not from this mesh: remove it to rebuild"
                    )

    def _open_inputs(self) -> Inputs:
        contracts = [each.contract for each in self.plan.inputs]
        return Inputs(self._endpoint, self._principal, contracts, self._storage.offsets)

    def _close_inputs(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    def _running(self) -> tuple[Engine, Inputs]:
        if self._inputs is None:
            self._start()
        assert self._inputs is not None  # noqa: S101 - what `_start` makes, for the type checker
        return self._running_engine(), self._inputs

    def _running_engine(self) -> Engine:
        assert self._engine is not None  # noqa: S101 - what `_start` makes, for the type checker
        return self._engine

    def _arrived(self, newest: datetime) -> None:
        now = datetime.now(UTC)
        self.progress.last_arrival_at = now
        self.progress.freshness_s = max(0.0, (now - newest).total_seconds())
        self.progress.offsets = self._storage.offsets

    def _report(self, state: str, reason: str) -> None:
        if (state, reason) != (self.progress.state, self.progress.reason):
            self._log(f"{state}: {reason}" if reason else state)
        self.progress.state, self.progress.reason = state, reason
