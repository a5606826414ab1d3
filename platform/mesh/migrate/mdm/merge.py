"""Cards that are merged, and how far that is from the truth: wrong merges and wrong splits.

A pair belongs to the half of the persons that the person of its first card is in, so that each
pair counts in one half, also where its two cards are of persons of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from mesh.migrate.mdm.match import Pairs

__all__ = ["Judged", "Tuned", "half_of", "judge", "merged", "tune"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
THRESHOLDS = tuple(range(-10, 31))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one half of the truth says: pairs of cards, golden records, and persons.

    Of *linked* pairs (merged by the twin) and *true* ones (of one person), *right* are both.
    *mixed* golden records are of several persons, *split* persons have several.
    """

    linked: int
    true: int
    right: int
    records: int
    mixed: int
    persons: int
    split: int

    @property
    def wrong_merges(self) -> int:
        """Pairs of two persons' cards that are merged."""
        return self.linked - self.right

    @property
    def wrong_splits(self) -> int:
        """Pairs of one person's cards that are not."""
        return self.true - self.right

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / max(self.linked + self.true, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """The threshold that is best on one half, with what the half says of each."""

    threshold: int
    curve: tuple[tuple[int, Judged], ...]


def half_of(persons: Sequence[str], seed: int) -> Bools:
    """Which of *persons* are in the half that the threshold is tuned on: by lot, for each."""
    drawn = {
        each: blake2b(f"{seed}/{each}".encode(), digest_size=1).digest()[0] % 2 == 0
        for each in set(persons)
    }
    return np.array([drawn[each] for each in persons], dtype=np.bool_)


def merged(count: int, pairs: Pairs) -> Ints:
    """The golden record of each of *count* cards: the first of those that hang together."""
    label = np.arange(count, dtype=np.int64)
    first, second = pairs.first, pairs.second
    while True:
        least = np.minimum(label[first], label[second])
        found = label.copy()
        for place in (label[first], label[second], first, second):
            np.minimum.at(found, place, least)
        found = found[found]
        if np.array_equal(found, label):
            return label
        label = found


def judge(labels: Ints, persons: Ints, counted: Bools) -> Judged:
    """Compare golden records with persons, for the half of cards that is *counted*."""
    linked = firsts(labels, counted)
    right = firsts(both_of(labels, persons), counted)
    pair = np.unique(np.stack([labels, persons]), axis=1)
    ours = np.unique(labels[counted])
    several = several_of(pair[0])
    mine = np.unique(persons[counted])
    return Judged(
        linked=linked,
        true=firsts(persons, counted),
        right=right,
        records=len(ours),
        mixed=int(np.isin(ours, several).sum()),
        persons=len(mine),
        split=int(np.isin(mine, several_of(pair[1])).sum()),
    )


def tune(pairs: Pairs, persons: Ints, counted: Bools) -> Tuned:
    """The threshold whose golden records have the best F1 in the half that is *counted*."""
    curve = []
    for threshold in THRESHOLDS:
        labels = merged(len(persons), pairs.above(threshold))
        curve.append((threshold, judge(labels, persons, counted)))
    best = max(curve, key=lambda each: each[1].f1)
    return Tuned(threshold=best[0], curve=tuple(curve))


def both_of(labels: Ints, persons: Ints) -> Ints:
    """One number for each golden record and person."""
    return labels * (int(persons.max(initial=0)) + 1) + persons


def several_of(values: Ints) -> Ints:
    """The values that are there more than once."""
    found, count = np.unique(values, return_counts=True)
    chosen: Ints = found[count > 1]
    return chosen


def firsts(groups: Ints, counted: Bools) -> int:
    """How many pairs within *groups* have a first card that is counted."""
    order = np.argsort(groups, kind="stable")
    _, start, size = np.unique(groups[order], return_index=True, return_counts=True)
    behind = np.repeat(start + size, size) - np.arange(len(groups)) - 1
    return int(behind[counted[order]].sum())
