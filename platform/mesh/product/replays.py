"""A replay in the engine: who may still be taken in, and what is new of what it makes.

Each message is put through once: the storage remembers which were. Not here: what is asked for
(`retry`), and what of it waits (`quarantine`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.keys import keys
from mesh.contract.types import arrow_schema
from mesh.product.duck import quoted
from mesh.product.erasure import tombstones
from mesh.product.intake import Arrival
from mesh.product.made import Made, origin, superseded, unpublished
from mesh.product.outbox import no_messages
from mesh.product.plan import Input, Output
from mesh.product.position import Batch, Position
from mesh.product.quarantine import Quarantine
from mesh.product.rejection import Rejection
from mesh.product.retry import Ask, Place
from mesh.product.set_aside import Kept, SetAside
from mesh.product.state_input import canonical_keys, key_casts
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE

__all__ = ["Replays"]


class Replays:
    """What a product with this *storage* lets through of what it is asked to replay."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.memory = SetAside(storage.connection)

    def remember(self, quarantine: Quarantine, position: Position | None) -> None:
        """Know what the topics tell, where this storage is not what was published."""
        if self.memory.is_whole and (position is None or self._storage.knows(position)):
            return
        kept = [
            Kept(
                port=each.port,
                origin=each.origin,
                key_digest=each.key_digest,
                is_replayed=each.state == "replayed",
                is_deleted=each.state == "superseded",
            )
            for each in (quarantine.entries() if position is not None else ())
        ]
        with self._storage.transaction():
            self.memory.replace(kept)

    def unsaid(self, position: Position | None, topics: Collection[str]) -> Batch | None:
        """A batch without a message, where *position* is behind in *topics*, which are waited for.

        Of a batch that said nothing, only its publication tells that it was taken in.
        """
        done = {} if position is None else position.offsets
        if all(self._storage.offsets.get(each) == done.get(each) for each in topics):
            return None
        with self._storage.transaction():
            batch = self._storage.save(no_messages(), {})
        self._storage.committed(batch)
        return batch

    def made(
        self,
        arrival: Arrival,
        outputs: Sequence[Output],
        make: Callable[[Output, Arrival], Made],
        *,
        is_muted: bool,
    ) -> tuple[Arrival, list[Made]]:
        """*arrival*, without what may not be replayed, and what *make* makes of it.

        Muted, only what was replayed before is taken in again.
        """
        if arrival.asks:
            arrival = self._admitted(arrival, is_muted=is_muted)
        if arrival.only is None:
            return arrival, [make(each, arrival) for each in outputs]
        wanted = [each for each in outputs if each.contract.id == arrival.only]
        found = [unpublished(make(each, arrival), arrival) for each in wanted]
        # The input has its row already, and what is wrong with it now is the port's matter.
        return replace(arrival, rows=arrival.rows.slice(0, 0), deletions=(), rejections=()), found

    def settle(self, arrival: Arrival, made: Sequence[Made], *, is_muted: bool) -> None:
        """Before they are kept: let what is made stand for what was there of the same origin."""
        if not arrival.asks:
            return
        rejected = [each for one in made for each in one.rejections] if arrival.only else []
        bad = {origin(each) for each in (*arrival.rejections, *rejected)}
        good = [each for each in arrival.asks if each.origin not in bad]
        self._clear(arrival, good, made)
        if not is_muted:
            port = arrival.only or arrival.source.contract.id
            self.memory.replayed(port, [each.origin for each in good])

    def bury(self, arrival: Arrival) -> None:
        """Note the deletions in *arrival*: what stood before them is not to be replayed."""
        source = arrival.source.contract
        if not arrival.deletions or not self.memory.has_of(source.topic):
            return
        texts = [each.key for each in arrival.deletions]
        found = canonical_keys(self._storage.connection, source, texts)
        places = arrival.causes.take(pa.array([each.cause for each in arrival.deletions]))
        partitions, offsets = places["partition"].to_pylist(), places["offset"].to_pylist()
        self.memory.bury(
            source.topic,
            [
                (partition, offset, each)
                for partition, offset, text, key in zip(
                    partitions, offsets, texts, found, strict=True
                )
                for each in {text, key or text}
            ],
        )

    def _admitted(self, arrival: Arrival, *, is_muted: bool) -> Arrival:
        """*arrival* with the asks that are due, and rejections of those that come too late."""
        port = arrival.only or arrival.source.contract.id
        known = self.memory.find(port, [each.origin for each in arrival.asks])
        newer = self._overtaken(arrival)
        due, late = set[int](), dict[Place, Rejection]()
        for number, ask in enumerate(arrival.asks):
            kept = known.get(ask.origin, Kept(port=port, origin=ask.origin))
            if kept.is_replayed != is_muted:
                continue
            reason = "its row was deleted since" if kept.is_deleted else newer.get(number)
            if reason is None:
                due.add(number)
            elif not is_muted:
                late[ask.origin] = superseded(ask, reason)
        places = {arrival.asks[number].origin for number in due}
        rejections = [] if is_muted else [e for e in arrival.rejections if origin(e) in places]
        return replace(
            arrival,
            rows=arrival.rows.filter(pc.is_in(arrival.rows[CAUSE], pa.array(due, pa.int64()))),
            deletions=tuple(each for each in arrival.deletions if each.cause in due),
            rejections=(*rejections, *late.values()),
            asks=tuple(e for n, e in enumerate(arrival.asks) if n in due or e.origin in late),
        )

    def _overtaken(self, arrival: Arrival) -> Mapping[int, str]:
        """By cause, why it comes too late for the state that its input has by now."""
        contract = arrival.source.contract
        if contract.kind != "state" or arrival.only is not None:
            return {}
        names = [each.name for each in contract.key_fields]
        listed = ", ".join(quoted(each) for each in names)
        same = " and ".join(f"i.{quoted(each)} = a.{quoted(each)}" for each in names)
        connection = self._storage.connection
        connection.register("_rows", placed(arrival.rows.select([*names, CAUSE]), arrival))
        connection.register("_tombstones", tombstones(arrival))
        try:
            found = connection.execute(
                f"with asked as (select {listed}, _partition, _offset, {CAUSE} from _rows"
                f" union all select {key_casts(contract)}, t._partition, t._offset, t.{CAUSE}"
                f' from _tombstones t) select a.{CAUSE} from asked a join "input".'
                f"{quoted(arrival.source.name)} i on {same}"
                " where i._partition <> a._partition or i._offset > a._offset"
            ).fetchall()
        finally:
            connection.unregister("_rows")
            connection.unregister("_tombstones")
        return {number: "a newer row has its key" for (number,) in found}

    def _clear(self, arrival: Arrival, good: Sequence[Ask], made: Sequence[Made]) -> None:
        """Delete what was made of these origins; not the rows that are published."""
        source = arrival.source
        if source.contract.kind == "state" or not good:
            return
        published = {each.origin: set(each.published) for each in good}
        tables = [(f"main.{quoted(e.output.contract.name)}", e.output.shift) for e in made]
        if arrival.only is None:
            tables.append((f'"input".{quoted(source.name)}', 0))
        places = pa.table(
            {
                "_partition": pa.array([each.origin[1] for each in good], pa.int32()),
                "_offset": pa.array([each.origin[2] for each in good], pa.int64()),
            }
        )
        connection = self._storage.connection
        connection.register("_places", places)
        try:
            stays = [
                (each.output, self._published(each.output, source, published))
                for each in made
                if arrival.only is not None
            ]
            for table, shift in tables:
                connection.execute(
                    f"delete from {table} where (_partition, _offset) in"
                    f" (select (_partition + {shift}, _offset) from _places)"
                )
        finally:
            connection.unregister("_places")
        for output, rows in stays:
            self._storage.insert("main", output.contract.name, rows)

    def _published(
        self, output: Output, source: Input, published: Mapping[Place, set[str]]
    ) -> pa.Table:
        """The rows of a port from `_places` whose keys are *published*."""
        contract = output.contract
        rows = self._storage.connection.sql(
            f"select o.* from main.{quoted(contract.name)} o"
            f" semi join _places p on o._partition = p._partition + {output.shift}"
            " and o._offset = p._offset"
        ).to_arrow_table()
        schema = arrow_schema(contract)
        fields = pa.schema([schema.field(each.name) for each in contract.key_fields])
        found = keys(rows.select(fields.names).cast(fields), contract).to_pylist()
        places = zip(rows["_partition"].to_pylist(), rows["_offset"].to_pylist(), strict=True)
        topic = source.contract.topic
        mask = [
            key.decode() in published[topic, partition - output.shift, offset]
            for key, (partition, offset) in zip(found, places, strict=True)
        ]
        return rows.filter(pa.array(mask, pa.bool_()))


def placed(rows: pa.Table, arrival: Arrival) -> pa.Table:
    """*rows* with where they came from beside `_cause`."""
    causes = arrival.causes.take(rows[CAUSE].combine_chunks())
    return rows.append_column("_partition", causes["partition"]).append_column(
        "_offset", causes["offset"]
    )
