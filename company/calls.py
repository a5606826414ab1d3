"""Calls to the call centre: call number i is the same however many are asked for.

A thousand calls a day: number i is made on day i // 1000, by a caller whose number is his own at
that moment. Not here: what telephony knows of it (`telephony`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from company.clock import BEGIN, DAY, END, HOUR, SECOND
from company.draws import Bools, Ints, Stream, quantiles
from company.lines import MOBILE_LINES, Tenures
from company.world import World

__all__ = ["CALLS_PER_DAY", "MOST_CALLS", "QUEUES", "Calls", "calls"]

_CALLS_PER_HOUR = (
    5, 3, 2, 2, 3, 8, 20, 38, 62, 78, 80, 74,
    66, 70, 74, 70, 66, 62, 58, 52, 44, 32, 20, 11,
)  # fmt: skip
CALLS_PER_DAY = sum(_CALLS_PER_HOUR)
MOST_CALLS = (END - BEGIN) // DAY * CALLS_PER_DAY

QUEUES = ("billing", "porting", "technical", "sales", "cancellation", "general")
_QUEUE_WEIGHTS = (28, 8, 26, 16, 8, 14)
_MEDIAN_S = (240, 420, 540, 300, 360, 150)
_SPREAD = 0.7  # of the logarithm: one call in six lasts more than twice the median
_ABANDONED_PER_MILLE = 60
_LONGEST_WAIT_S = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The truth about some calls. *tenure* says by which number, hence contract and user.

    *started* and *ended* in microseconds; *queue* counts in `QUEUES`. An abandoned call was never
    answered and only lasted as long as the caller's patience.
    """

    index: Ints
    tenure: Ints
    queue: Ints
    started: Ints
    ended: Ints
    is_abandoned: Bools


def calls(world: World, index: Ints) -> Calls:
    """Return the calls numbered *index*, each below `MOST_CALLS`."""
    started = _started(world.seed, index)
    queue = _stream(world.seed, "queue").choice(index, _QUEUE_WEIGHTS)
    is_abandoned = _stream(world.seed, "is_abandoned").chance(index, _ABANDONED_PER_MILLE)
    patience = 1 + _stream(world.seed, "patience").below(index, _LONGEST_WAIT_S)
    talk = _talk_s(world.seed, index, queue)
    return Calls(
        index=index,
        tenure=_tenure(world.seed, world.tenures, index, started),
        queue=queue,
        started=started,
        ended=started + np.where(is_abandoned, patience, talk) * SECOND,
        is_abandoned=is_abandoned,
    )


def _started(seed: int, index: Ints) -> Ints:
    """Return when: each hour has its share of the day's calls, spread evenly with a jitter."""
    per_hour = np.array(_CALLS_PER_HOUR, dtype=np.int64)
    ends = np.cumsum(per_hour)
    day, place = index // CALLS_PER_DAY, index % CALLS_PER_DAY
    hour = np.searchsorted(ends, place, side="right")
    within = place - ends[hour] + per_hour[hour]
    jitter = _stream(seed, "jitter").below(index, HOUR // 10) * 10  # HOUR is above 2^31
    return BEGIN + day * DAY + hour * HOUR + (within * HOUR + jitter) // per_hour[hour]


def _talk_s(seed: int, index: Ints, queue: Ints) -> Ints:
    """Return how long in seconds: log-normal, around the median of the queue."""
    normal = NormalDist()
    in_ms = quantiles(lambda share: 1000 * math.exp(_SPREAD * normal.inv_cdf(share)))
    times_the_median = _stream(seed, "talk").pick(index, in_ms)
    seconds: Ints = np.maximum(times_the_median * np.array(_MEDIAN_S)[queue] // 1000, 1)
    return seconds


def _tenure(seed: int, tenures: Tenures, index: Ints, started: Ints) -> Ints:
    """Return by which tenure: of a drawn line, or of the next one whose number is in use."""
    return tenures.in_use(_stream(seed, "line").below(index, MOBILE_LINES), started)


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="call", attribute=attribute)
