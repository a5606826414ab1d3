"""The world of one seed: all that is true in it, which no single system knows.

world = build(seed=1)
world.phone_numbers[world.tenures.number[0]]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from company.contracts import Contracts, sign
from company.identifiers import phone_numbers
from company.lines import MOBILE_LINES, Tenures, succeed
from company.people import People, settle

__all__ = ["World", "build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """People, contracts, and who had which number when; the same whatever is asked of it."""

    seed: int
    people: People
    tenures: Tenures
    contracts: Contracts
    phone_numbers: tuple[str, ...]


@lru_cache(maxsize=2)
def build(seed: int) -> World:
    """Return the world of *seed*: some 200,000 tenures, 30 MB, a fraction of a second."""
    people = settle(seed)
    tenures = succeed(seed)
    return World(
        seed=seed,
        people=people,
        tenures=tenures,
        contracts=sign(seed, people, tenures),
        phone_numbers=tuple(phone_numbers(seed, 2 * MOBILE_LINES)),
    )
