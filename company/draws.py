"""Every attribute of the world is drawn here: value = f(seed, kind, attribute, id), nothing else.

A stream has no state, so any id can be drawn first, alone, or among millions, and an attribute that
a later version adds changes no number already shown. Not for secrets: anyone can compute them.

    >>> calls = Stream(seed=1, kind="call", attribute="queue")
    >>> int(calls.below(np.arange(3), 6)[2]) == int(calls.below(np.array([2]), 6)[0])
    True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bools", "Ints", "Stream", "Words", "quantiles"]

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Words: TypeAlias = NDArray[np.uint64]

# SplitMix64: the golden-ratio step of Steele, Lea and Flood, "Fast splittable pseudorandom number
# generators" (OOPSLA 2014), with the finaliser that Stafford calls Mix13. The id is its counter.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)

_TABLE_BITS = 12


class Stream:
    """The draws of one attribute of one kind of thing, by id."""

    def __init__(self, *, seed: int, kind: str, attribute: str) -> None:
        name = f"{seed}/{kind}/{attribute}".encode()
        digest = blake2b(name, digest_size=8).digest()
        self._key = np.uint64(int.from_bytes(digest, "little"))

    def words(self, ids: Ints) -> Words:
        """Return 64 random bits for each id."""
        state = self._key + (ids.astype(np.uint64) + np.uint64(1)) * _STEP
        state = (state ^ (state >> np.uint64(30))) * _FIRST
        state = (state ^ (state >> np.uint64(27))) * _SECOND
        return state ^ (state >> np.uint64(31))

    def below(self, ids: Ints, bound: int | Ints) -> Ints:
        """Return whole numbers from 0 to *bound* - 1; *bound* is at most 2^31."""
        high = self.words(ids) >> np.uint64(33)
        return ((high * np.asarray(bound, dtype=np.uint64)) >> np.uint64(31)).astype(np.int64)

    def chance(self, ids: Ints, per_mille: int) -> Bools:
        """Return true for *per_mille* of 1000 ids."""
        return self.below(ids, 1000) < per_mille

    def choice(self, ids: Ints, weights: Sequence[int]) -> Ints:
        """Return positions in *weights*, each as often as its weight says."""
        ends = np.cumsum(np.asarray(weights, dtype=np.int64))
        return np.searchsorted(ends, self.below(ids, int(ends[-1])), side="right")

    def pick(self, ids: Ints, table: Ints) -> Ints:
        """Return values of a distribution that `quantiles` tabulated."""
        word = self.words(ids)
        cell = (word >> np.uint64(64 - _TABLE_BITS)).astype(np.int64)
        within = ((word >> np.uint64(20)) & np.uint64(0xFFFF)).astype(np.int64)
        low = table[cell]
        return low + (((table[cell + 1] - low) * within) >> 16)


def quantiles(inverse: Callable[[float], float]) -> Ints:
    """Tabulate an inverse distribution function as whole numbers, for `Stream.pick`.

    Whole numbers, since the last digit of a floating-point logarithm depends on the processor.
    The ends are cut half a cell inside, so that no value is infinite.
    """
    cells = 1 << _TABLE_BITS
    inside = (min(max(cell, 0.5), cells - 0.5) / cells for cell in range(cells + 1))
    return np.array([round(inverse(share)) for share in inside], dtype=np.int64)
