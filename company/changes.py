"""How an operational system writes down what happens: facts with valid time, one record a change.

A fact is opened with an open end; later it is ended, under the same id with the next revision.
Some records are late, some are wrong at first and corrected under the same id, and some facts
never were and are retracted. Not here: which facts there are (`crm_facts`, `billing_facts`).

    changes = write_down(seed, facts, Troubles())
    stated = state(seed, facts, changes, Troubles())
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from company.clock import DAY, FOREVER, HOUR, MINUTE
from company.draws import Bools, Ints, Stream

__all__ = ["SETTLED_AFTER", "Changes", "Facts", "Stated", "Troubles", "state", "write_down"]

OPENED, CORRECTED, ENDED, END_CORRECTED, MISTAKEN, RETRACTED = range(6)

_LATEST = 20 * DAY
_NOTICED_WITHIN = 5 * DAY
_SHIFT = 5 * DAY

SETTLED_AFTER = 40 * DAY
"""So long after an instant, every record that bears on it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """How many of 1000 facts are written late, wrong at first, or are mistakes beside true ones."""

    late: int = 30
    corrected: int = 20
    mistaken: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts of one *kind*: *source* had *target* from *start* to *end* (`FOREVER`: still).

    *index* is what the draws and the id of each fact are made of; *targets* is how many targets
    there are to be taken for one another. Where a fact *may be mistaken*, another stands beside
    some of them that never was.
    """

    kind: str
    index: Ints
    source: Ints
    target: Ints
    start: Ints
    end: Ints
    targets: int
    may_be_mistaken: bool = True

    def take(self, chosen: Ints) -> Facts:
        """Return some of the facts."""
        return Facts(
            kind=self.kind,
            index=self.index[chosen],
            source=self.source[chosen],
            target=self.target[chosen],
            start=self.start[chosen],
            end=self.end[chosen],
            targets=self.targets,
            may_be_mistaken=self.may_be_mistaken,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Records by the time when they were *written*; *fact* is a position in the facts."""

    fact: Ints
    step: Ints
    written: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What records say. *is_own* is false where the fact never was, and has an id of its own."""

    source: Ints
    target: Ints
    start: Ints
    end: Ints
    revision: Ints
    is_retracted: Bools
    is_own: Bools
    index: Ints

    def link_ids(self, prefix: str) -> list[str]:
        """Return the id of each fact, the same for all its records."""
        pairs = zip(self.index.tolist(), self.is_own.tolist(), strict=True)
        return [f"{prefix}-{index:08}{'' if is_own else 'x'}" for index, is_own in pairs]


def write_down(seed: int, facts: Facts, troubles: Troubles) -> Changes:
    """Return all records about *facts*, in the order in which they are written."""
    ids = facts.index
    opened = facts.start + _delay(seed, facts.kind, "opened", ids, troubles)
    is_corrected = _is_corrected(seed, facts, troubles)
    corrected = opened + _until_noticed(seed, facts.kind, "corrected", ids)
    known = np.where(is_corrected, corrected, opened)
    is_ended = facts.end < FOREVER
    told = np.where(is_ended, facts.end, 0) + _delay(seed, facts.kind, "ended", ids, troubles)
    ended = np.maximum(told, known + MINUTE)
    end_corrected = ended + _until_noticed(seed, facts.kind, "end_corrected", ids)
    mistakes = troubles.mistaken if facts.may_be_mistaken else 0
    is_mistaken = _stream(seed, facts.kind, "is_mistaken").chance(ids, mistakes)
    around = _stream(seed, facts.kind, "mistaken").below(ids, 2 * DAY // MINUTE) * MINUTE
    mistaken = opened - 2 * HOUR + around
    retracted = mistaken + _until_noticed(seed, facts.kind, "retracted", ids)
    every = np.ones(len(ids), dtype=np.bool_)
    steps = (
        (OPENED, every, opened),
        (CORRECTED, is_corrected, corrected),
        (ENDED, is_ended, ended),
        (END_CORRECTED, is_ended & _is_end_corrected(seed, facts, troubles), end_corrected),
        (MISTAKEN, is_mistaken, mistaken),
        (RETRACTED, is_mistaken, retracted),
    )
    fact = np.concatenate([np.flatnonzero(which) for _, which, _ in steps])
    step = np.concatenate([np.full(which.sum(), number) for number, which, _ in steps])
    written = np.concatenate([when[which] for _, which, when in steps])
    order = np.argsort(written, kind="stable")
    return Changes(fact=fact[order], step=step[order], written=written[order])


def state(seed: int, facts: Facts, changes: Changes, troubles: Troubles) -> Stated:
    """Return what the records *changes* about *facts* say."""
    told, step = facts.take(changes.fact), changes.step
    is_corrected = _is_corrected(seed, told, troubles)
    is_wrong = is_corrected & (step == OPENED)
    # What is wrong at first is either whom it is about, or since when.
    is_target = _stream(seed, told.kind, "is_target").chance(told.index, 500)
    is_own = step < MISTAKEN
    shift = _shift(seed, told.kind, "start", told.index)
    later = [step == CORRECTED, step == ENDED, step == END_CORRECTED, step == RETRACTED]
    return Stated(
        source=told.source,
        target=np.where((is_wrong & is_target) | ~is_own, _other(seed, told), told.target),
        start=told.start + np.where(is_wrong & ~is_target, shift, 0),
        end=_end(seed, told, step, troubles),
        revision=np.select(later, [2, 2 + is_corrected, 3 + is_corrected, 2], 1).astype(np.int64),
        is_retracted=step == RETRACTED,
        is_own=is_own,
        index=told.index,
    )


def _end(seed: int, told: Facts, step: Ints, troubles: Troubles) -> Ints:
    """Return until when: open, unless the record is the end's, which may be wrong at first."""
    end = np.where(told.end < FOREVER, told.end, 0)
    wrong = np.maximum(told.start + HOUR, end + _shift(seed, told.kind, "end", told.index))
    is_wrong = _is_end_corrected(seed, told, troubles) & (step == ENDED)
    has_end = (step == ENDED) | (step == END_CORRECTED)
    return np.where(has_end, np.where(is_wrong, wrong, end), FOREVER)


def _is_corrected(seed: int, facts: Facts, troubles: Troubles) -> Bools:
    return _stream(seed, facts.kind, "is_corrected").chance(facts.index, troubles.corrected)


def _is_end_corrected(seed: int, facts: Facts, troubles: Troubles) -> Bools:
    return _stream(seed, facts.kind, "is_end_corrected").chance(facts.index, troubles.corrected)


def _other(seed: int, facts: Facts) -> Ints:
    """Return a target other than the true one."""
    step = 1 + _stream(seed, facts.kind, "other").below(facts.index, facts.targets - 1)
    return (facts.target + step) % facts.targets


def _delay(seed: int, kind: str, what: str, ids: Ints, troubles: Troubles) -> Ints:
    """Return how long after it happened each is written: within the hour, or days later."""
    is_late = _stream(seed, kind, f"{what}_is_late").chance(ids, troubles.late)
    usual = 1 + _stream(seed, kind, f"{what}_delay").below(ids, 60)
    late = DAY // MINUTE + _stream(seed, kind, f"{what}_late").below(ids, (_LATEST - DAY) // MINUTE)
    return np.where(is_late, late, usual) * MINUTE


def _until_noticed(seed: int, kind: str, what: str, ids: Ints) -> Ints:
    within = _stream(seed, kind, f"{what}_noticed").below(ids, (_NOTICED_WITHIN - HOUR) // MINUTE)
    return HOUR + within * MINUTE


def _shift(seed: int, kind: str, what: str, ids: Ints) -> Ints:
    """Return how far off a wrong instant is, either way; never nothing."""
    drawn = _stream(seed, kind, f"{what}_shift").below(ids, 2 * _SHIFT // HOUR) - _SHIFT // HOUR
    return np.where(drawn < 0, drawn, drawn + 1) * HOUR


def _stream(seed: int, kind: str, attribute: str) -> Stream:
    return Stream(seed=seed, kind=f"{kind}-change", attribute=attribute)
