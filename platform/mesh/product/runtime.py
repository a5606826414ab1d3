"""The loop of one product: drain, commit, publish; and what happens after anything fails.

    storage transaction: rows, offsets, output, outbox      (`engine`)
    Kafka transaction:   messages, position                 (`relay`)

At start and after every failure the position in Kafka decides how to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.errors import NoMemory, NoRoom, Refused, Unreachable
from mesh.product.beacon import Beacon
from mesh.product.duck import is_usable
from mesh.product.engine import Engine
from mesh.product.failpoints import reach
from mesh.product.family_watch import FamilyWatch
from mesh.product.fanout import taken_in
from mesh.product.inputs import Inputs
from mesh.product.intake import Arrival, Intake, intakes_of
from mesh.product.life import Life
from mesh.product.listener import Listener
from mesh.product.mending import Mending
from mesh.product.patience import Patience, ask
from mesh.product.pause import Pause, Rest
from mesh.product.plan import Plan, position_topic
from mesh.product.position import Batch
from mesh.product.progress import Progress
from mesh.product.publishing import Publishing
from mesh.product.quarantine import Quarantine
from mesh.product.recovery import another, no_position
from mesh.product.relay import Relay, RelayFailed
from mesh.product.rereading import Rereading
from mesh.product.retry import Retries, by_topic, in_turn, retry_contract
from mesh.product.rewriting import Rewriting
from mesh.product.storage import Storage
from mesh.product.topics import topic_ids, topics_of

__all__ = ["Runtime"]

POLL_S = 0.1
RETRY_S = 1.0


class Runtime:
    """Runs one product until told to stop, from one thread; `progress` may be read by others."""

    def __init__(
        self,
        plan: Plan,
        storage: Storage,
        *,
        endpoint: Endpoint,
        principal: Principal,
        log: Callable[[str], None] = lambda _: None,
        pause: Pause | None = None,
    ) -> None:
        self.plan, self._storage = plan, storage
        self._endpoint, self._principal = endpoint, principal
        topic, source = position_topic(plan.product), f"/{plan.product.domain}/{plan.product.id}"
        self._relay = Relay(endpoint, principal, position_topic=topic, source=source)
        self._registry = Registry(endpoint)
        self._life = Life(storage, plan)
        self._beacon = Beacon(endpoint, principal, topic, self._life.name)
        self._quarantine = Quarantine(plan, endpoint, principal, self._registry)
        self._engine: Engine | None = None
        self._inputs: Inputs | None = None
        self._intakes: dict[str, Intake | Retries] = {}
        self._retries = {each.retry_topic for each in plan.replayable}
        self._stop, self._is_steady = threading.Event(), False
        self.patience = Patience()
        self.progress = Progress(offsets=storage.offsets, log=log)
        self._publishing = Publishing(self.patience, storage, self.progress.ran.published)
        storage.settle = self._publishing.settle
        self.pause, self.rewriting = pause or Pause(), Rewriting()
        self._rest = Rest(self.pause, self._open_inputs, self.progress.report)
        self.watch: FamilyWatch | None = None
        self.listener: Listener | None = None

    def run(self, stop: threading.Event) -> None:
        """Run until *stop* is set; waits out an absent Kafka, a full disk, and who must grant.

        Raises `StorageError` and the like for what does not pass by itself, `NoRoom` where the
        storage must be opened anew, as for a rewriting.
        """
        self._stop, self._is_steady = stop, True
        try:
            while not stop.is_set():
                self.rewriting.check()
                try:
                    self.step(POLL_S)
                except (Unreachable, RelayFailed, NoRoom) as error:
                    self.progress.report("waiting", str(error))
                    if isinstance(error, NoMemory) or not is_usable(self._storage.connection):
                        raise
                    stop.wait(RETRY_S)
                except Refused as error:
                    if self.watch is None or not self.watch.doubts(error):
                        self.progress.refused(error)
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
            if self.watch is not None and (plan := self.watch.changed(self.plan)) is not None:
                self.plan, self._engine, self._life = plan, None, Life(self._storage, plan)
            if self._inputs is None or self._engine is None or self._life.is_overdue:
                self._close_inputs()
                self._inputs = self._start()
                return 0
            count = self._take_in(self._inputs, timeout_s)
            if not (self._is_steady and count):
                self._publishing.settle()
            return count
        except BaseException:
            self._publishing.abandon()
            # What was drained and not committed is read again from the storage's offsets.
            self._close_inputs()
            if self._engine is not None:
                self._engine.states.forget_told()
                self._engine.retention.forget_noted()
            raise

    def close(self) -> None:
        """Let go of Kafka and the registry; the storage is the caller's."""
        self._life.leave(self._inputs)
        self._close_inputs()
        for each in (self._publishing, self._rest, self._relay, self._registry, self._beacon):
            each.close()

    def _take_in(self, inputs: Inputs, timeout_s: float) -> int:
        """One batch, stored and published; how many messages it was."""
        self._running_engine().retention.prune()
        drained = inputs.drain(timeout_s)
        if not drained:
            self._publishing.settle()
            self._storage.prune()
            self.progress.lag = inputs.lag()
            if self.patience.is_quiet():
                ask(inputs.consumers.values())
            self._life.note(inputs)
            return 0
        self.patience.heard()
        count = sum(map(len, drained.values()))
        parts = [*in_turn(drained, self._retries)]
        # Of large messages, what is held one step longer than needed is what a product takes.
        drained.clear()
        for part in parts:
            arrivals, offsets = self._read(part), inputs.next_offsets(part)
            counts, is_replay = self.progress.ran.sizes(part), not self._retries.isdisjoint(part)
            part.clear()
            for batch in taken_in(self._running_engine().take_in, arrivals, offsets):
                reach("storage-committed")
                if not is_replay:
                    newest = max(each.causes["time"][-1].as_py() for each in arrivals)
                    self.progress.arrived(newest, self._storage.offsets)
                self._publish(batch, is_silent_too=is_replay)
            self.progress.ran.took(counts)
        self.progress.lag = inputs.lag()
        self._life.note(inputs)
        return count

    def _read(self, drained: dict[str, list[Message]]) -> list[Arrival]:
        parts = [self._intakes[topic].arrivals(messages) for topic, messages in drained.items()]
        return [arrival for part in parts for arrival in part]

    def _start(self) -> Inputs | None:
        """Find out what was published last; the inputs after it, or None if told to stop."""
        self._publishing.abandon()
        if self._engine is None:
            self._engine = Engine(self.plan, self._storage, self._registry)
            self._engine.states.listener = self.listener
            self._intakes = by_topic(intakes_of(self.plan, self._registry, self._engine.checker))
        if not self._beacon.claim(self._stop.is_set):
            return None
        position = self._relay.open(self._stop.is_set)
        self._storage.recognize(topic_ids(self._endpoint, self._principal, topics_of(self.plan)))
        self._engine.replays.remember(self._quarantine, position)
        mending = self._mending(self._engine)
        if position is None:
            # Right only if everything ever said still waits here.
            if self._publishing.has_published or not self._storage.is_outbox_whole():
                raise no_position(self.plan.product.id)
        elif not self._storage.knows(position):
            if self._publishing.has_published:
                raise another(self.plan.product.id)
            if not mending.recover(position, self._stop):
                return None
        self._storage.published = position
        for batch in self._storage.unpublished(position):
            self._publish(batch)
        mending.make_true(position, self._life, self._stop)
        if (unsaid := self._engine.replays.unsaid(position, self._retries)) is not None:
            self._publish(unsaid, is_silent_too=True)
        self._publishing.settle()
        if self._stop.is_set():
            return None
        inputs = self._open_inputs()
        reach("opening-inputs")
        self.progress.lag = inputs.lag()
        self.progress.report("running", "")
        return inputs

    def _publish(self, batch: Batch, *, is_silent_too: bool = False) -> None:
        """Publish a batch; one that says nothing only where its position is waited for."""
        if batch.outbox.num_rows or is_silent_too:
            self._publishing.begin(self._relay, batch)

    def _mending(self, engine: Engine) -> Mending:
        base = Rereading(
            self.plan,
            self._storage,
            engine,
            self._read,
            endpoint=self._endpoint,
            principal=self._principal,
            registry=self._registry,
        )
        show = partial(self._publishing.show, self._relay)
        return Mending(base, self.progress, self._publish, show)

    def _open_inputs(self) -> Inputs:
        retries = [retry_contract(each) for each in self.plan.replayable]
        wanted = [*(each.contract for each in self.plan.inputs), *retries]
        return Inputs(self._endpoint, self._principal, wanted, self._storage.offsets, self._retries)

    def _close_inputs(self) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    def _running_engine(self) -> Engine:
        assert self._engine is not None  # noqa: S101 - what `_start` makes, for the type checker
        return self._engine
