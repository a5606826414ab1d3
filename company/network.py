"""The packet gateways: files of data sessions by day and delivery, with the troubles of such.

A day's sessions come in the delivery `gateway`; one in a hundred comes a day later, in `late`,
which also repeats some; every third day is delivered twice. What is wrong with a session is known
(`truth`). Not here: how it becomes a product (`products/network_usage`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from company.clock import BEGIN, DAY, SECOND, instant
from company.draws import Bools, Ints, Stream
from company.lines import MOBILE_LINES
from company.world import World, build

__all__ = ["SESSION", "Network", "truth"]

SESSION = pa.schema(
    [
        pa.field("session_id", pa.int64(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("phone_number", pa.string(), nullable=False),
        pa.field("sim_id", pa.string(), nullable=False),
        pa.field("cell", pa.string(), nullable=False),
        pa.field("technology", pa.string(), nullable=False),
        pa.field("started_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("duration_s", pa.int64(), nullable=False),
        pa.field("up_bytes", pa.int64(), nullable=False),
        pa.field("down_bytes", pa.int64(), nullable=False),
    ]
)
PER_DAY = 50_000
TWICE_EVERY = 3
_CELLS = 600
_LONGEST_S = 7_200
_MOST_BYTES = 2**31
_LATE_PER_MILLE, _REPEATED_PER_MILLE = 10, 1
# Of a thousand sessions: whole ones, and one each with a fault.
_FAULTS = (997, 1, 1, 1)
_RULES = ("", "down_bytes.minimum/down_bytes", "phone_number.pattern/phone_number", "day/day")
_NEGATIVE, _NO_NUMBER, _STRAY = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Network:
    """The operational system whose files `network-usage` takes; a `mesh.product.systems.System`."""

    principal: str = "packet-gateway"
    usual_count: int = 2 * PER_DAY
    per_day: int = PER_DAY

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 100_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield the files of sessions *start* to *start* + *count*, in the order of delivery.

        What is late of the last day is still to come.
        """
        world = build(seed)
        first, last = start // self.per_day, (start + count - 1) // self.per_day
        for day in range(first, last + 1):
            begin, end = day * self.per_day, min((day + 1) * self.per_day, start + count)
            index = np.arange(max(begin, start), end, dtype=np.int64)
            on_time = index[~_is_late(seed, index)]
            name = f"{instant(BEGIN + day * DAY):%Y-%m-%d}"
            resent = [f"{name}.resent"] if day % TWICE_EVERY == 0 else []
            for file in (f"{name}.gateway", *resent):
                yield from _parts(world, file, on_time, day, batch_rows)
            if day > first:
                before = np.arange(begin - self.per_day, begin, dtype=np.int64)
                late = before[_is_late(seed, before) | _is_repeated(seed, before)]
                file = f"{instant(BEGIN + (day - 1) * DAY):%Y-%m-%d}.late"
                yield from _parts(world, file, late, day - 1, batch_rows)


def truth(seed: int, day: int, per_day: int = PER_DAY) -> tuple[int, Mapping[str, int]]:
    """Return how many sessions of a day are right once all of it came, and what of it is not."""
    index = np.arange(day * per_day, (day + 1) * per_day, dtype=np.int64)
    fault = _fault(seed, index)
    twice = _is_repeated(seed, index) & ~_is_late(seed, index)
    wrong = Counter(_RULES[each] for each in fault[fault > 0])
    wrong.update(_RULES[each] for each in fault[twice & (fault > 0)])
    wrong["key/session_id"] = int((twice & (fault == 0)).sum())
    return int((fault == 0).sum()), {rule: count for rule, count in wrong.items() if count}


def _parts(
    world: World, file: str, index: Ints, day: int, rows: int
) -> Iterator[Mapping[str, pa.Table]]:
    for begin in range(0, len(index), rows):
        yield {file: _sessions(world, index[begin : begin + rows], day)}


def _sessions(world: World, index: Ints, day: int) -> pa.Table:
    """Return what the gateways recorded of the sessions *index*, all of one day."""
    draw = {name: _stream(world.seed, name) for name in ("second", "line", "cell", "long", "new")}
    fault = _fault(world.seed, index)
    started = BEGIN + day * DAY + draw["second"].below(index, DAY // SECOND) * SECOND
    tenure = world.tenures.in_use(draw["line"].below(index, MOBILE_LINES), started)
    number, contract = world.tenures.number[tenure], world.tenures.contract[tenure]
    started = started - np.where(fault == _STRAY, DAY, 0)
    numbers = pa.array([*world.phone_numbers, "unknown"])
    spoken = np.where(fault == _NO_NUMBER, len(world.phone_numbers), number)
    cards, which = np.unique(number * 10**8 + contract, return_inverse=True)
    columns = [
        pa.array(index),
        pa.array((started // DAY).astype("datetime64[D]")),
        numbers.take(pa.array(spoken)),
        pa.array([f"8901{each:015}" for each in cards.tolist()]).take(pa.array(which)),
        pa.array([f"cell-{each:03}" for each in range(_CELLS)]).take(
            pa.array(draw["cell"].below(index, _CELLS))
        ),
        pa.array(["4G", "5G"]).take(pa.array(draw["new"].below(index, 2))),
        pa.array(started).cast(SESSION.field("started_at").type),
        pa.array(draw["long"].below(index, _LONGEST_S)),
        pa.array(_stream(world.seed, "up").below(index, _MOST_BYTES // 8)),
        pa.array(
            np.where(fault == _NEGATIVE, -1, _stream(world.seed, "down").below(index, _MOST_BYTES))
        ),
    ]
    return pa.table(columns, schema=SESSION)


def _is_late(seed: int, index: Ints) -> Bools:
    return _stream(seed, "is_late").chance(index, _LATE_PER_MILLE)


def _is_repeated(seed: int, index: Ints) -> Bools:
    return _stream(seed, "is_repeated").chance(index, _REPEATED_PER_MILLE)


def _fault(seed: int, index: Ints) -> Ints:
    return _stream(seed, "fault").choice(index, _FAULTS)


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="session", attribute=attribute)
