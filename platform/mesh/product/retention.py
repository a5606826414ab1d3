"""How long a storage keeps rows of events: inputs by their port's `keep`, outputs by retention.

What is dropped is what nothing says any more: an input that a state port reads keeps all (`plan`),
so no answer depends on when this runs, and it may go by the clock. A row's age is that of its
message, looked up by offset in `mesh.clock`, a sparse table of when which offset was passed.

Erasure finds what was made of a message by the message's key. So of an input's row that goes
before what was made of it, key and place stay in schema `origins`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from mesh.errors import StorageError
from mesh.product.intake import Arrival
from mesh.product.kept import Kept
from mesh.product.plan import Plan
from mesh.product.storage import Storage

__all__ = ["Retention"]

EVERY_S = 5.0
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
ENDS = pa.schema([("_partition", pa.int32()), ("_since", pa.int64()), ("_end", pa.int64())])
TABLES = """
create table if not exists mesh.clock (
    topic varchar, "partition" integer, "offset" bigint, at_ms bigint
);
create table if not exists mesh.dropped (topic varchar);
create schema if not exists origins;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """All before *offset* came with messages no younger than *at*."""

    offset: int
    at: datetime


class Retention:
    """Drops what is old from *storage*. Not on the way of a batch: `prune` is called between."""

    def __init__(
        self, plan: Plan, storage: Storage, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._storage, self._now = storage, now
        self._sources = [
            Kept(each, plan)
            for each in plan.inputs
            if each.contract.kind == "event" and each.member is None
        ]
        self._timed = {each.topic: each for each in self._sources if each.ages}
        self._noted: dict[tuple[str, int], Passed] = {}
        self._newest: dict[tuple[str, int], Passed] = {}
        self._done: dict[str, Mapping[int, int]] = {}
        self._due = 0.0
        self._open(plan)

    def _open(self, plan: Plan) -> None:
        """Make the tables, and learn how far the clock was noted."""
        connection = self._storage.connection
        connection.execute(TABLES)
        self._check_whole(plan)
        for each in self._sources:
            if each.has_origins:
                connection.execute(f"create table if not exists {each.origins} ({each.columns})")
        sql = 'select topic, "partition", max("offset"), max(at_ms) from mesh.clock group by all'
        for topic, number, offset, at_ms in connection.execute(sql).fetchall():
            self._noted[topic, number] = Passed(offset=offset, at=instant(at_ms))
        # Of what came after the last note, no more is known than that it is here.
        for topic in self._timed:
            for number, offset in self._storage.offsets.get(topic, {}).items():
                self._newest[topic, number] = Passed(offset=offset, at=self._now())

    def forget_noted(self) -> None:
        """Believe none of the notes: a transaction has failed, which may have had some.

        They are made once more, and the storage is not asked, since it may have failed as well.
        """
        self._noted.clear()

    def _check_whole(self, plan: Plan) -> None:
        """Raise where a state port is new that is made of rows which were dropped before."""
        rows = self._storage.connection.execute("select topic from mesh.dropped").fetchall()
        dropped = {topic for (topic,) in rows}
        for each in plan.states:
            for source in plan.inputs:
                if source.name in each.query.inputs and source.contract.topic in dropped:
                    raise StorageError(
                        f"rows of {source.name} were dropped while its port did not keep all, and "
                        f"{each.contract.id} is made of all: remove the product's storage, it is "
                        "rebuilt from the topics"
                    )

    def note(self, arrivals: Sequence[Arrival]) -> None:
        """Remember when *arrivals* came, in the transaction that takes them in."""
        now = self._now()
        for each in arrivals:
            kept = self._timed.get(each.source.contract.topic)
            # What is asked for once more, or was found to be gone, has its old place.
            if (
                kept is None
                or each.asks
                or each.causes["topic"].unique().to_pylist() != [kept.topic]
            ):
                continue
            for number, last, newest in lasts(each.causes):
                place = kept.topic, number
                # A writer's clock may be wrong: no row is younger than now, nor than one before.
                at = max(min(newest, now), self._at(place))
                self._newest[place] = Passed(offset=last + 1, at=at)
                if place not in self._noted or at - self._noted[place].at >= kept.step:
                    self._write(place)

    def prune(self) -> None:
        """Drop what is old by now, if it is some time since the last look."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_S
        self.prune_now()

    def prune_now(self) -> None:
        """Drop what is old by now."""
        for each in self._sources:
            drops = {t: ends for t, ends in self._drops(each) if self._done.get(t, {}) != ends}
            if drops:
                with self._storage.transaction():
                    for table, ends in drops.items():
                        self._drop(each, table, ends)
                    self._forget(each)
                self._done |= drops

    def _drops(self, kept: Kept) -> Iterator[tuple[str, dict[int, int]]]:
        """The tables of which rows are to go, and by partition those before which offset."""
        if kept.keep in ("latest", "none"):
            yield kept.table, dict(self._storage.offsets.get(kept.topic, {}))
        for table, age in kept.ages.items():
            yield table, self._ends(kept, age)

    def _ends(self, kept: Kept, age: timedelta) -> dict[int, int]:
        """By partition, before which offset all is older than *age*."""
        limit = self._now() - age
        for place, newest in self._newest.items():
            # Where nothing comes any more, the last of it grows old too.
            if place[0] == kept.topic and newest.at <= limit and newest != self._noted.get(place):
                with self._storage.transaction():
                    self._write(place)
        rows = self._storage.connection.execute(
            'select "partition", max("offset") from mesh.clock'
            " where topic = ? and at_ms <= ? group by all",
            [kept.topic, milliseconds(limit)],
        )
        return dict(rows.fetchall())

    def _drop(self, kept: Kept, table: str, ends: Mapping[int, int]) -> None:
        """Delete rows of one table, in the open transaction."""
        connection, since = self._storage.connection, self._done.get(table, {})
        rows = [
            {"_partition": number, "_since": since.get(number, 0), "_end": end}
            for number, end in ends.items()
        ]
        connection.register("_ends", pa.Table.from_pylist(rows, ENDS))
        try:
            gone = kept.gone(table)
            if table == kept.table and not since:
                connection.execute(
                    "insert into mesh.dropped select $1 where $1 not in (from mesh.dropped)",
                    [kept.topic],
                )
            if table == kept.table and kept.has_origins:
                connection.execute(
                    f"insert into {kept.origins} select {kept.origin('i')} from {table} i, {gone}"
                )
            connection.execute(f"delete from {table} i using {gone}")
        finally:
            connection.unregister("_ends")

    def _forget(self, kept: Kept) -> None:
        """Drop what the clock says of times before which nothing is kept, but for the last."""
        if kept.ages:
            self._storage.connection.execute(
                'delete from mesh.clock c using (select "partition", max("offset") as _last'
                " from mesh.clock where topic = $1 and at_ms <= $2 group by all) e"
                ' where c.topic = $1 and c."partition" = e."partition" and c."offset" < e._last',
                [kept.topic, milliseconds(self._now() - max(kept.ages.values()))],
            )

    def _at(self, place: tuple[str, int]) -> datetime:
        """When the newest message of a partition came, as far as is known."""
        newest = self._newest.get(place)
        return LONG_AGO if newest is None else newest.at

    def _write(self, place: tuple[str, int]) -> None:
        """Note the newest of a partition, in the open transaction."""
        newest = self._newest[place]
        self._storage.connection.execute(
            "insert into mesh.clock values (?, ?, ?, ?)",
            [*place, newest.offset, milliseconds(newest.at)],
        )
        self._noted[place] = newest


def lasts(causes: pa.Table) -> Iterator[tuple[int, int, datetime]]:
    """Of each partition of *causes*: its number, the last offset and the newest time."""
    partitions, offsets = causes["partition"].to_numpy(), causes["offset"].to_numpy()
    times_us = causes["time"].cast(pa.int64()).to_numpy()
    for number in np.unique(partitions):
        its = partitions == number
        newest = LONG_AGO + timedelta(microseconds=int(times_us[its].max()))
        yield int(number), int(offsets[its].max()), newest


def milliseconds(at: datetime) -> int:
    """Since 1970; DuckDB gives instants to Python by a library more."""
    return (at - LONG_AGO) // timedelta(milliseconds=1)


def instant(at_ms: int) -> datetime:
    """The other way."""
    return LONG_AGO + timedelta(milliseconds=at_ms)
