"""The loop of one product: drain, commit, publish; and what happens after anything fails.

    storage transaction: rows, offsets, output, outbox      (`engine`)
    Kafka transaction:   messages, position                 (`relay`)

At start and after every failure the position in Kafka decides how to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.errors import NoRoom, StorageError, Unreachable
from mesh.product.beacon import Beacon
from mesh.product.duck import is_usable
from mesh.product.engine import Engine
from mesh.product.failpoints import reach
from mesh.product.family_watch import FamilyWatch
from mesh.product.inputs import Inputs
from mesh.product.intake import Arrival, Intake
from mesh.product.life import Life
from mesh.product.listener import Listener
from mesh.product.patience import Patience, ask
from mesh.product.pause import Pause, Rest
from mesh.product.plan import Plan, position_topic
from mesh.product.position import Batch, Position
from mesh.product.progress import Progress
from mesh.product.recovery import Recovery, no_position
from mesh.product.relay import Relay, RelayFailed
from mesh.product.storage import Storage
from mesh.product.topics import topic_ids, topics_of

__all__ = ["Runtime"]

POLL_S = 0.1
RETRY_S = 1.0
Log = Callable[[str], None]


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
        pause: Pause | None = None,
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
        self._life = Life(storage, plan)
        self._beacon = Beacon(endpoint, principal, position_topic(product), self._life.name)
        self._engine: Engine | None = None
        self._inputs: Inputs | None = None
        self._intakes: dict[str, Intake] = {}
        self._has_published = False
        self._stop = threading.Event()
        self.patience = Patience()
        self.progress = Progress(offsets=storage.offsets)
        self.pause = pause or Pause()
        self._rest = Rest(self.pause, self._open_inputs, self._report)
        self.watch: FamilyWatch | None = None
        self.listener: Listener | None = None

    def run(self, stop: threading.Event) -> None:
        """Run until *stop* is set; waits out an absent Kafka or registry, and a full disk.

        Raises `StorageError` and the like for what does not pass by itself, `NoRoom` where the
        storage must be opened anew.
        """
        self._stop = stop
        try:
            while not stop.is_set():
                try:
                    self.step(POLL_S)
                except (Unreachable, RelayFailed, NoRoom) as error:
                    self._report("waiting", str(error))
                    if not is_usable(self._storage.connection):
                        raise
                    stop.wait(RETRY_S)
        finally:
            self.close()

    def step(self, timeout_s: float) -> int:
        """Take in and publish what has arrived, or first find out how to go on; how much came.

        After an exception the next step begins with what is committed and published.
        """
        try:
            if (waiting := self._rest.take(self._inputs, timeout_s)) is not None:
                self.progress.lag = waiting
                return 0
            if self.watch is not None and (plan := self.watch.grown(self.plan)) is not None:
                self._close_inputs()
                self.plan, self._engine = plan, None
                self._life = Life(self._storage, plan)
            if self._inputs is None or self._life.is_overdue:
                self._close_inputs()
                self._inputs = self._start()
                return 0
            return self._take_in(self._inputs, timeout_s)
        except BaseException:
            # What was drained and not committed is read again from the storage's offsets.
            self._close_inputs()
            if self._engine is not None:
                self._engine.states.forget_told()
            raise

    def close(self) -> None:
        """Let go of Kafka and the registry; the storage is the caller's."""
        self._close_inputs()
        self._rest.close()
        self._relay.close()
        self._registry.close()
        self._beacon.close()

    def _take_in(self, inputs: Inputs, timeout_s: float) -> int:
        """One batch, stored and published; how many messages it was."""
        drained = inputs.drain(timeout_s)
        if not drained:
            self._storage.prune()
            self.progress.lag = inputs.lag()
            if self.patience.is_quiet():
                ask(inputs.consumers.values())
            self._life.note(inputs)
            return 0
        self.patience.heard()
        arrivals = self._read(drained)
        batches = self._running_engine().take_in(arrivals, inputs.next_offsets(drained))
        reach("storage-committed")
        newest = max(each.causes["time"][-1].as_py() for each in arrivals)
        self.progress.arrived(newest, self._storage.offsets)
        for batch in batches:
            self._publish(batch)
        self.progress.lag = inputs.lag()
        self._life.note(inputs)
        return sum(map(len, drained.values()))

    def _read(self, drained: dict[str, list[Message]]) -> list[Arrival]:
        return [self._intakes[topic].read(messages) for topic, messages in drained.items()]

    def _start(self) -> Inputs | None:
        """Find out what was published last; the inputs after it, or None if told to stop."""
        if self._engine is None:
            self._engine = Engine(self.plan, self._storage, self._registry)
            self._engine.states.listener = self.listener
            self._intakes = {
                each.contract.topic: Intake(each, self._registry, self._engine.checker)
                for each in self.plan.inputs
            }
        if not self._beacon.claim(self._stop.is_set):
            return None
        position = self._relay.open(self._stop.is_set)
        self._storage.recognize(topic_ids(self._endpoint, self._principal, topics_of(self.plan)))
        if position is None:
            # Right only if everything ever said still waits here.
            if self._has_published or not self._storage.is_outbox_whole():
                raise no_position(self.plan.product.id)
        elif not self._storage.knows(position) and not self._recover(position):
            return None
        self._storage.published = position
        for batch in self._storage.unpublished(position):
            self._publish(batch)
        self._make_true(position)
        if self._stop.is_set():
            return None
        inputs = self._open_inputs()
        reach("opening-inputs")
        self.progress.lag = inputs.lag()
        self._report("running", "")
        return inputs

    def _make_true(self, position: Position | None) -> None:
        """Find the deletions that were missed, and compare what is stale with its topic."""
        is_overdue = self._life.is_overdue
        if is_overdue:
            self._report("recovering", f"away for {self._life.away}: deletions may be missed")
            for batch in self._recovery().catch_up(position, self._stop, self._tell):
                self._publish(batch)
        if self._running_engine().states.stale():
            self._report("recovering", "state ports are compared with what they have published")
        for batch in self._recovery().refresh(self._stop, self._tell):
            self._publish(batch)
        if is_overdue and not self._stop.is_set():
            self._life.met()

    def _publish(self, batch: Batch) -> None:
        if batch.outbox.num_rows:
            with self.patience.asking():
                self._relay.publish(batch)
            self._storage.published = batch.position
            self._has_published = True

    def _recover(self, position: Position) -> bool:
        """The storage is torn, older or lost: what was published is the truth.

        Whether it got there before it was told to stop. May be begun again at any point.
        """
        if self._has_published:
            raise StorageError(
                f"another process has published as {self.plan.product.id}: only one may run"
            )
        self._report("recovering", "the storage is behind what was published")
        if self._recovery().recover(position, self._stop, self._tell) is None:
            return False  # what it made is read from the storage, as after any start
        reach("recovered")
        self._log(f"recovered up to batch {position.batch}")
        return True

    def _recovery(self) -> Recovery:
        return Recovery(
            self.plan,
            self._storage,
            self._running_engine(),
            self._read,
            endpoint=self._endpoint,
            principal=self._principal,
            registry=self._registry,
        )

    def _tell(self, lag: int, news: str) -> None:
        self.progress.lag = lag
        if news:
            self._log(news)

    def _open_inputs(self) -> Inputs:
        contracts = [each.contract for each in self.plan.inputs]
        return Inputs(self._endpoint, self._principal, contracts, self._storage.offsets)

    def _close_inputs(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    def _running_engine(self) -> Engine:
        assert self._engine is not None  # noqa: S101 - what `_start` makes, for the type checker
        return self._engine

    def _report(self, state: str, reason: str) -> None:
        if (state, reason) != (self.progress.state, self.progress.reason):
            self._log(f"{state}: {reason}" if reason else state)
        self.progress.state, self.progress.reason = state, reason
