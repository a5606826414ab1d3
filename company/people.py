"""Persons and households: who lives with whom, and who is whose child.

Not here: what they signed (`contracts`). Household and family stand still; contracts do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from company.draws import Ints, Stream

__all__ = ["HOUSEHOLDS", "NOBODY", "People", "settle"]

HOUSEHOLDS = 2_000
NOBODY = -1
# The first household is of the children of the last, the second of the last but one, …
_FAMILIES_APART = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """All persons, numbered household by household, adults first.

    *first* and *size* are by household; the rest by person. *parent* and *child* name one person
    or `NOBODY`, *partner* names oneself where one lives alone.
    """

    first: Ints
    size: Ints
    adults: Ints
    household: Ints
    parent: Ints
    child: Ints
    partner: Ints

    def is_adult(self, persons: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return whether each of *persons* may sign a contract."""
        household = self.household[persons]
        adult: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
            persons - self.first[household] < self.adults[household]
        )
        return adult


def settle(seed: int) -> People:
    """Return the people of the world of *seed*."""
    households = np.arange(HOUSEHOLDS, dtype=np.int64)
    adults = 1 + Stream(seed=seed, kind="household", attribute="has_two_adults").chance(
        households, 600
    ).astype(np.int64)
    children = Stream(seed=seed, kind="household", attribute="children").below(households, 4)
    # Whose children have left has none at home.
    children[HOUSEHOLDS - _FAMILIES_APART :] = 0
    size = adults + children
    first = np.cumsum(size) - size
    household = np.repeat(households, size)
    persons = np.arange(len(household), dtype=np.int64)
    place = persons - first[household]

    partner = np.where(
        (place < 2) & (adults[household] == 2), first[household] + 1 - place, persons
    )
    parent = np.where(place >= adults[household], first[household], NOBODY)
    parent[first[:_FAMILIES_APART]] = first[::-1][:_FAMILIES_APART]
    child = np.full(len(persons), NOBODY, dtype=np.int64)
    with_children = children > 0
    child[first[with_children]] = (first + adults)[with_children]
    child[first[::-1][:_FAMILIES_APART]] = first[:_FAMILIES_APART]
    return People(
        first=first,
        size=size,
        adults=adults,
        household=household,
        parent=parent,
        child=child,
        partner=partner,
    )
