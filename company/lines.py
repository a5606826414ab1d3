"""Lines and their tenures: which contract had which phone number from when to when.

A line is a succession of tenures, each of one contract on one number (none for internet at home).
A mobile line has two numbers in turn, so a number rests for at least one tenure of the other before
someone else gets it. How a tenure ends says how the next begins:

    swapped     same contract, other number, at once
    moved       same number, other contract, at once (taken over from a parent, say)
    closed      the contract ends; another person's begins on the line's other number, days later
    ported out  as closed, and the number leaves for another operator until it comes back

Not here: the persons behind a contract (`contracts`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from company.clock import BEGIN, DAY, END, FOREVER, MINUTE
from company.draws import Bools, Ints, Stream, quantiles
from company.people import HOUSEHOLDS

__all__ = ["HOW_ENDED", "HOW_STARTED", "MOBILE_LINES", "NO_NUMBER", "Tenures", "succeed"]

MOBILE_LINES = 4_000
NO_NUMBER = -1

HOW_ENDED = ("swapped", "moved", "closed", "ported_out", "open")
HOW_STARTED = ("swapped", "moved", "new", "ported_in")
_SWAPPED, _MOVED, _CLOSED, _PORTED_OUT, _OPEN = range(5)
_NEW, _PORTED_IN = 2, 3
_END_WEIGHTS = (25, 20, 35, 20)

# 64 tenures of 300 days on average outlast the world by a wide margin.
_PER_LINE = 64
_SHORTEST = 100 * DAY
_LONGER_ON_AVERAGE = 200 * DAY

_Grid: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenures:
    """All tenures by line and time; instants in microseconds, `FOREVER` where open.

    *number* counts phone numbers (`NO_NUMBER` for internet), *contract* counts contracts.
    """

    line: Ints
    number: Ints
    contract: Ints
    start: Ints
    end: Ints
    how_started: Ints
    how_ended: Ints

    def at(self, lines: Ints, instants: Ints) -> Ints:
        """Return the position of each line's tenure at each instant, -1 where there is none."""
        order = _sort_key(self.line, self.start)
        found = np.searchsorted(order, _sort_key(lines, instants), side="right") - 1
        is_held = (found >= 0) & (self.line[found] == lines) & (instants < self.end[found])
        return np.where(is_held, found, -1)

    def in_use(self, lines: Ints, instants: Ints) -> Ints:
        """Return the same of mobile lines, or of the next one whose number is in use."""
        line, found = lines.copy(), self.at(lines, instants)
        while (is_free := found < 0).any():
            line[is_free] = (line[is_free] + 1) % MOBILE_LINES
            found[is_free] = self.at(line[is_free], instants[is_free])
        return found


def succeed(seed: int) -> Tenures:
    """Return the tenures of all lines: mobile lines first, then one internet line a household."""
    shape = (MOBILE_LINES + HOUSEHOLDS, _PER_LINE)
    grid: _Grid = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    is_mobile = (grid < MOBILE_LINES * _PER_LINE)[:, :1]
    ended = np.where(
        is_mobile, _stream(seed, "how_ended").choice(grid, _END_WEIGHTS), np.int64(_CLOSED)
    )
    start, end = _instants(seed, grid, ended)
    kept = start < END
    ended = np.where(end < END, ended, _OPEN)
    end = np.where(end < END, end, FOREVER)
    before = _previous(ended)
    run = np.cumsum(_is_other_number(before), axis=1) - 1
    line = grid // _PER_LINE
    is_new_contract = (before != _SWAPPED) & kept
    return Tenures(
        line=line[kept],
        number=np.where(is_mobile, line * 2 + run % 2, NO_NUMBER)[kept],
        contract=(np.cumsum(is_new_contract.ravel()).reshape(grid.shape) - 1)[kept],
        start=start[kept],
        end=end[kept],
        how_started=_how_started(seed, grid, ended, run)[kept],
        how_ended=ended[kept],
    )


def _instants(seed: int, grid: _Grid, ended: _Grid) -> tuple[_Grid, _Grid]:
    """Return start and end of each tenure; the first was under way when the world began."""
    longer = quantiles(lambda share: -math.log1p(-share) * _LONGER_ON_AVERAGE / MINUTE)
    lasts = _SHORTEST + _stream(seed, "length").pick(grid, longer) * MINUTE
    rests = _stream(seed, "rest").below(grid, 20 * DAY // MINUTE) * MINUTE
    rests = np.where((ended == _CLOSED) | (ended == _PORTED_OUT), rests, 0)
    under_way = _stream(seed, "under_way").below(grid[:, 0], lasts[:, 0] // MINUTE) * MINUTE
    spent = np.cumsum(lasts + rests, axis=1) - lasts - rests
    start = BEGIN - under_way[:, None] + spent
    return start, start + lasts


def _how_started(seed: int, grid: _Grid, ended: _Grid, run: _Grid) -> _Grid:
    """Return how each tenure began.

    A number can be ported in only when it is not ours: never held before, or ported out. One that
    is swapped in or given anew after it was ported out came back when it was given up there.
    """
    rows = np.broadcast_to(np.arange(len(grid))[:, None], grid.shape)
    is_last = _is_other_number(ended)
    ends_of_run = np.full(grid.shape, _CLOSED)
    ends_of_run[rows[is_last], run[is_last]] = ended[is_last]
    two_runs_ago = np.where(run < 2, _PORTED_OUT, ends_of_run[rows, np.maximum(run - 2, 0)])
    may_come = (two_runs_ago == _PORTED_OUT) & (grid < MOBILE_LINES * _PER_LINE)
    comes = may_come & _stream(seed, "is_ported_in").chance(grid, 500)
    fresh = np.where(comes, _PORTED_IN, _NEW)
    before = _previous(ended)
    return np.where(before <= _MOVED, before, fresh)


def _previous(ended: _Grid) -> _Grid:
    return np.hstack([np.full((len(ended), 1), _CLOSED), ended[:, :-1]])


def _is_other_number(ended: _Grid) -> Bools:
    is_other: Bools = ended != _MOVED
    return is_other


def _sort_key(line: Ints, at: Ints) -> NDArray[np.uint64]:
    """Order by line, then time: 13 bits for the line, 51 for an instant within the world."""
    since = np.clip(at - BEGIN, -(2**50), 2**50 - 1) + 2**50
    return (line.astype(np.uint64) << np.uint64(51)) | since.astype(np.uint64)


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="tenure", attribute=attribute)
