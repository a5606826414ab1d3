"""One batch of a product: what arrived becomes rows and messages in one transaction.

The DuckDB half of exactly-once. Not here: Kafka (`inputs`, `relay`) and the loop (`runtime`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.registry import Registry
from mesh.contract.arrays import as_typed
from mesh.product.causes import CAUSES
from mesh.product.duck import quoted
from mesh.product.erasure import erase, tombstones
from mesh.product.fanout import check_fan_out
from mesh.product.intake import Arrival, Checker
from mesh.product.made import Made, with_keys
from mesh.product.outbox import no_messages, too_large
from mesh.product.plan import Input, Output, Plan, StateOutput
from mesh.product.position import Batch, Offsets, Position
from mesh.product.publishers import publisher, rejector
from mesh.product.rejection import Rejection, of_failures, of_size, refused
from mesh.product.replays import Replays
from mesh.product.retention import Retention
from mesh.product.state_engine import StateEngine
from mesh.product.state_input import apply_state
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["Engine"]

# Of state rows: what one Kafka transaction publishes well within its time-out.
FAN_OUT = 10_000


class Engine:
    """Takes batches into a storage and says what is to be published."""

    def __init__(self, plan: Plan, storage: Storage, registry: Registry) -> None:
        self._plan = plan
        self._storage = storage
        self.checker = Checker()
        self._publishers = {
            each.contract.id: publisher(each.contract, registry) for each in plan.events
        }
        topics = [each.rejected_topic for each in plan.inputs]
        topics += [each.contract.rejected_topic for each in plan.outputs]
        self._rejectors = {topic: rejector(topic, registry) for topic in topics}
        self.replays = Replays(storage)
        self.retention = Retention(plan, storage)
        self.states = StateEngine(plan, storage, registry, self.checker, self._reject)

    def take_in(
        self,
        arrivals: Sequence[Arrival],
        offsets: Offsets,
        *,
        is_muted: bool = False,
        has_states: bool = True,
    ) -> Iterable[Batch]:
        """Commit *arrivals* with the *offsets* after them; the batches to publish.

        Muted, the same is done and nothing is said, since it was published before. Muted or
        without states, state ports are not computed: they are to be compared as a whole.
        Raises `TooMuch`, and has done nothing, where it is to be taken in by halves (`fanout`).
        """
        made = [
            self.replays.made(
                each, self._plan.outputs_of(each.source), self._make, is_muted=is_muted
            )
            for each in arrivals
        ]
        with self._storage.transaction():
            messages = [no_messages()]
            changed: dict[str, list[pa.Table]] = {}
            for arrival, results in made:
                self.replays.settle(arrival, results, is_muted=is_muted)
                if arrival.source.contract.kind == "state":
                    said, images = self._keep_state(arrival)
                else:
                    said, images = self._keep(arrival, results)
                messages += said
                # The members of a family change one table.
                changed.setdefault(arrival.source.name, []).append(images)
            check_fan_out(arrivals, messages)
            self.retention.note(arrivals)
            if is_muted:
                last = self._storage.save(no_messages(), offsets)
            else:
                states = self.states.change(joined(changed), newest(arrivals)) if has_states else ()
                last = self._save(states, pa.concat_tables(messages), offsets)
        return self._committed(last)

    def compare(
        self,
        outputs: Sequence[StateOutput],
        read_back: Callable[[StateOutput], Iterable[Arrival]],
        position: Position | None = None,
        unsaid: Sequence[tuple[Input, Rejection]] = (),
    ) -> Iterable[Batch]:
        """Compare state ports with what was published of them; the batches that make it true.

        With a *position*, the storage goes on after it. *unsaid* are rejections that were taken
        in muted, though from after it. In many transactions, since one of a million rows takes
        more memory than there is; killed between two, the ports are stale and compared again.
        """
        with self._storage.transaction():
            if position is not None:
                self._storage.adopt(position)
            said = [
                self._rejectors[source.rejected_topic].messages(source.contract.id, [each])
                for source, each in unsaid
            ]
            last = self._save((), pa.concat_tables([no_messages(), *said]), {})
        start = self._storage.seq
        self._storage.committed(last)
        for each in outputs:
            cause = pa.Table.from_pylist([no_cause(each.contract.topic)], CAUSES)
            self._compare(self.states.compare(each, read_back(each), cause))
        self.states.committed()
        return self._storage.after(start)

    def _compare(self, steps: Iterator[pa.Table]) -> None:
        """Take each of *steps*, which gives messages, in a transaction of its own."""
        messages: pa.Table | None = no_messages()
        while messages is not None:
            with self._storage.transaction():
                messages = next(steps, None)
                last = self._save([] if messages is None else [messages], no_messages(), {})
            self._storage.committed(last)

    def _save(self, states: Iterable[pa.Table], events: pa.Table, offsets: Offsets) -> Batch:
        """Put what is to be said into the open transaction, as batches of bounded size; the last.

        Only the last has the new offsets: events are published with those they come from, and
        what state ports have said already is read back, should the storage be lost between.
        """
        outbox, last = no_messages(), None
        for each in states:
            outbox = pa.concat_tables([outbox, each])
            while outbox.num_rows > FAN_OUT:
                piece, outbox = outbox.slice(0, FAN_OUT).combine_chunks(), outbox.slice(FAN_OUT)
                last = self._storage.save(piece, {}, last)
        rest = pa.concat_tables([outbox, events]).combine_chunks()
        return self._storage.save(rest, offsets, last)

    def _committed(self, last: Batch) -> Iterable[Batch]:
        """What was saved up to *last*, now that it is committed."""
        start = self._storage.seq
        self._storage.committed(last)
        self.states.committed()
        # Of more than one, what is to be said may be more than fits into memory.
        return [last] if last.seq - last.outbox.num_rows == start else self._storage.after(start)

    def _make(self, output: Output, arrival: Arrival) -> Made:
        """Run one port's query over what arrived, outside every transaction."""
        contract, causes = output.contract, arrival.causes
        found, failures = output.query.run(self.checker.planned, arrival.rows)
        # A fixed order, so that ids do not depend on how DuckDB cut the work.
        keys = [(each.name, "ascending") for each in contract.key_fields]
        found = found.sort_by([(CAUSE, "ascending"), *keys])
        rows, violations = self.checker.check(found, contract)
        messages = self._publishers[contract.id].messages(rows, causes)
        bad = [([each.row for each in failures], of_failures(failures)), ([found], violations)]
        large = too_large(messages)
        if pc.any(large, min_count=0).as_py():
            positions = pc.indices_nonzero(large).to_pylist()
            bad.append(([rows], of_size(positions)))
            rows, messages = rows.filter(pc.invert(large)), messages.filter(pc.invert(large))
        rejections = [
            each for tables, why in bad if why for each in refused(tables, with_keys(arrival), why)
        ]
        return Made(output=output, rows=rows, messages=messages, rejections=rejections)

    def _keep_state(self, arrival: Arrival) -> tuple[list[pa.Table], pa.Table]:
        """Write a state input's arrival; the messages that follow, and the changed images."""
        source = arrival.source
        rows = with_origin(arrival.rows, arrival.causes)
        images = apply_state(
            self._storage.connection,
            f'"input".{quoted(source.name)}',
            source.contract,
            rows=rows.append_column(CAUSE, arrival.rows[CAUSE]),
            tombstones=tombstones(arrival),
        )
        said = self._reject(source.rejected_topic, source.contract.id, arrival.rejections)
        self.replays.bury(arrival)
        return [said], images

    def _keep(self, arrival: Arrival, made: Sequence[Made]) -> tuple[list[pa.Table], pa.Table]:
        """Write an event input's arrival; the messages that follow, and the changed images."""
        source = arrival.source
        images = arrival.rows.drop_columns([CAUSE])
        self._storage.insert("input", source.name, with_origin(arrival.rows, arrival.causes))
        messages = [self._reject(source.rejected_topic, source.contract.id, arrival.rejections)]
        said = []
        for each in made:
            contract = each.output.contract
            kept = with_origin(each.rows, arrival.causes, each.output.shift)
            self._storage.insert("main", contract.name, kept)
            messages.append(self._reject(contract.rejected_topic, contract.id, each.rejections))
            said.append(each.messages.append_column(CAUSE, each.rows[CAUSE]))
        if arrival.deletions:
            self.replays.bury(arrival)
            outputs = [(each.output, self._publishers[each.output.contract.id]) for each in made]
            erased, tombs = erase(self._storage, arrival, outputs)
            images = pa.concat_tables([images, as_typed(erased, images.schema)])
            said += tombs
            # A row that came after its tombstone must stay after it.
            said = [pa.concat_tables(said).sort_by(CAUSE)] if said else []
        return [*messages, *(each.drop_columns([CAUSE]) for each in said)], images

    def _reject(self, topic: str, port: str, rejections: Sequence[Rejection]) -> pa.Table:
        """The messages for a port's rejected topic, counted."""
        if not rejections:
            return no_messages()
        # What is rejected again was counted when it came.
        self._storage.count_rejections(port, [e for e in rejections if e.attempt is None])
        self.replays.memory.add(port, rejections)
        return self._rejectors[topic].messages(port, rejections)


def with_origin(rows: pa.Table, causes: pa.Table, shift: int = 0) -> pa.Table:
    """*rows* as they are kept: `_cause` replaced by partition (and *shift*) and offset."""
    origin = causes.take(rows[CAUSE].combine_chunks())
    kept = rows.drop_columns([CAUSE])
    partition = pc.add(origin["partition"], pa.scalar(shift, pa.int32()))
    return kept.append_column("_partition", partition).append_column("_offset", origin["offset"])


def joined(changed: Mapping[str, Sequence[pa.Table]]) -> dict[str, pa.Table]:
    """The images of every input, in one table each."""
    return {name: pa.concat_tables(images) for name, images in changed.items()}


def newest(arrivals: Sequence[Arrival]) -> pa.Table:
    """The newest of the messages that came, as one row of causes."""
    causes = pa.concat_tables([each.causes for each in arrivals])
    if not causes.num_rows:
        return causes
    return causes.slice(pc.index(causes["time"], pc.max(causes["time"])).as_py(), 1)


def no_cause(topic: str) -> dict[str, object]:
    """The cause of what no message caused: a query is another than before."""
    return {"topic": topic, "partition": 0, "offset": 0, "time": datetime.now(UTC), "trace": None}
