"""Device plans, as finance sees them: instalments, what became of them, and who owes them.

Here is the truth that a risk model looks for: whoever paid bills late lately pays an instalment
less often, whatever the age. And what it must not find: an old practice that called plans in
where mostly young people live. Not here: who writes it down (`plans_system`), bills (`billing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from company.billing import LATE_OR_NEVER, when_paid
from company.clock import micros
from company.draws import Bools, Ints, Stream
from company.world import World

__all__ = [
    "AGE_BANDS",
    "DISTRICTS",
    "STRICT",
    "Instalments",
    "age_bands",
    "has_plan",
    "instalments",
]

AGE_BANDS = ("under-30", "30-and-over")
_YOUNG_PER_MILLE = 400
# Where people live, per mille: those under 30, and the others.
DISTRICTS = ("north", "east", "south", "west", "university")
_YOUNG_LIVE, _OTHERS_LIVE = (25, 25, 25, 25, 900), (240, 240, 240, 240, 40)
STRICT = DISTRICTS.index("university")
_PLANS_PER_MILLE = 800
_DUE_DAY = 20
_MONTHS_BACK = 6
# How many of 1000 instalments stay unpaid, by the late bills of the six months before.
_UNPAID_PER_MILLE = np.array([40, 200, 500, 700, 800, 800, 800], dtype=np.int64)
_WEEK_LATE_PER_MILLE = 400
# Contracts times this, plus the month, is an instalment's id, as an invoice's.
_MONTHS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalments:
    """Instalments of one month, due at one instant; *district* and persons by their count."""

    id: Ints
    contract: Ints
    payer: Ints
    district: Ints
    is_unpaid: Bools
    is_called_in: Bools
    due_at: int


def age_bands(world: World, persons: Ints) -> Ints:
    """Return the place of each person's age band in `AGE_BANDS`."""
    young = _stream(world, "person", "is_young").chance(persons, _YOUNG_PER_MILLE)
    return np.where(young, 0, 1).astype(np.int64)


def has_plan(world: World, contracts: Ints) -> Bools:
    """Return for each contract whether a device is paid for with it."""
    drawn = _stream(world, "contract", "device_plan").chance(contracts, _PLANS_PER_MILLE)
    found: Bools = drawn & world.contracts.is_mobile[contracts]
    return found


def instalments(world: World, month: int) -> Instalments:
    """Return one instalment a device plan that runs in *month*, 1 being February 2026."""
    year, since_january = divmod(month, 12)
    at = micros(datetime(2026 + year, since_january + 1, _DUE_DAY, tzinfo=UTC))
    signed = world.contracts
    running = np.flatnonzero((signed.opened <= at) & (at < signed.closed)).astype(np.int64)
    contract = running[has_plan(world, running)]
    payer = np.where(at < signed.payer_changed, signed.payer, signed.later_payer)[contract]
    identity = contract * _MONTHS + month
    late = _late_bills(world, contract, month)
    drawn = _stream(world, "instalment", "unpaid").below(identity, 1000)
    is_unpaid = drawn < _UNPAID_PER_MILLE[late]
    district = _districts(world, payer)
    # A week late was enough there; elsewhere an instalment had to stay unpaid.
    is_late = _stream(world, "instalment", "week_late").chance(identity, _WEEK_LATE_PER_MILLE)
    return Instalments(
        id=identity,
        contract=contract,
        payer=payer,
        district=district,
        is_unpaid=is_unpaid,
        is_called_in=is_unpaid | ((district == STRICT) & is_late),
        due_at=at,
    )


def _late_bills(world: World, contract: Ints, month: int) -> Ints:
    """Return how many bills of the months before each contract paid late or never."""
    found = np.zeros(len(contract), dtype=np.int64)
    for earlier in range(max(1, month - _MONTHS_BACK), month):
        year, since_january = divmod(earlier, 12)
        issued = micros(datetime(2026 + year, since_january + 1, 1, 3, tzinfo=UTC))
        ran = world.contracts.opened[contract] <= issued
        found += ran & (when_paid(world, contract * _MONTHS + earlier) >= LATE_OR_NEVER)
    return found


def _districts(world: World, persons: Ints) -> Ints:
    """Return where each person lives: a matter of age more than of anything else."""
    stream = _stream(world, "person", "district")
    young, others = stream.choice(persons, _YOUNG_LIVE), stream.choice(persons, _OTHERS_LIVE)
    return np.where(age_bands(world, persons) == 0, young, others)


def _stream(world: World, kind: str, attribute: str) -> Stream:
    return Stream(seed=world.seed, kind=kind, attribute=attribute)
