"""The facts that the CRM keeps: contracts, their numbers, the persons in their roles, households.

As they are in truth. Not here: how the CRM comes to know them (`changes`, `crm_system`).
"""

from __future__ import annotations

import numpy as np

from company.changes import Facts
from company.draws import Ints
from company.lines import NO_NUMBER
from company.people import HOUSEHOLDS
from company.world import World

__all__ = ["CONTRACT", "HOUSEHOLD", "NUMBER", "ROLES", "facts_of"]

CONTRACT, NUMBER, HOUSEHOLD = "contract", "number", "household"
ROLES = ("holder", "user", "administrator", "resident")

# No household is larger.
_PLACES = 8


def facts_of(world: World) -> dict[str, Facts]:
    """Return all facts by kind. A contract's target is its kind: 0 internet, 1 mobile."""
    signed = world.contracts
    every = np.arange(len(signed.opened), dtype=np.int64)
    mobile = every[signed.is_mobile]
    persons = len(world.people.household)
    return {
        CONTRACT: _whole(world, CONTRACT, every, signed.is_mobile.astype(np.int64), 2),
        NUMBER: _numbers(world),
        "holder": _whole(world, "holder", every, signed.holder, persons),
        "user": _whole(world, "user", mobile, signed.user[mobile], persons),
        "administrator": _whole(world, "administrator", every, signed.administrator, persons),
        "resident": _residents(world),
        HOUSEHOLD: _whole(world, HOUSEHOLD, every, signed.household, HOUSEHOLDS),
    }


def _whole(world: World, kind: str, contract: Ints, target: Ints, targets: int) -> Facts:
    """Return facts that last as long as their contract."""
    return Facts(
        kind=kind,
        index=contract,
        source=contract,
        target=target,
        start=world.contracts.opened[contract],
        end=world.contracts.closed[contract],
        targets=targets,
        may_be_mistaken=kind != CONTRACT,
    )


def _numbers(world: World) -> Facts:
    tenures = world.tenures
    held = np.flatnonzero(tenures.number != NO_NUMBER)
    return Facts(
        kind=NUMBER,
        index=held,
        source=tenures.number[held],
        target=tenures.contract[held],
        start=tenures.start[held],
        end=tenures.end[held],
        targets=len(world.contracts.opened),
    )


def _residents(world: World) -> Facts:
    """Return one fact a person who lives where a contract's internet is delivered."""
    signed, people = world.contracts, world.people
    internet = np.flatnonzero(~signed.is_mobile)
    size = people.size[signed.household[internet]]
    contract = np.repeat(internet, size)
    place = np.arange(len(contract)) - np.repeat(np.cumsum(size) - size, size)
    return Facts(
        kind="resident",
        index=contract * _PLACES + place,
        source=contract,
        target=people.first[signed.household[contract]] + place,
        start=signed.opened[contract],
        end=signed.closed[contract],
        targets=len(people.household),
    )
