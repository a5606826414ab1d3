"""Contracts and roles: who holds, uses, pays for and administers what, and where it is delivered.

There is no customer. Each contract has persons in roles, mostly one person in several, often not:
a partner or a parent living elsewhere pays, a child runs a parent's contract, a household of four
lives where one of them has the internet delivered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from company.clock import END, FOREVER, MINUTE
from company.draws import Bools, Ints, Stream
from company.lines import HOW_STARTED, MOBILE_LINES, Tenures
from company.people import HOUSEHOLDS, NOBODY, People

__all__ = ["Contracts", "sign"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """All contracts by their count; persons by theirs, `NOBODY` where there is none.

    *payer* paid until *payer_changed* (`FOREVER`: never changed), *later_payer* from then on.
    *user* is `NOBODY` for internet: those are the residents of *household*.
    """

    is_mobile: Bools
    opened: Ints
    closed: Ints
    household: Ints
    user: Ints
    holder: Ints
    administrator: Ints
    payer: Ints
    later_payer: Ints
    payer_changed: Ints


def sign(seed: int, people: People, tenures: Tenures) -> Contracts:
    """Return the contracts of the world's tenures."""
    first = np.unique(tenures.contract, return_index=True)[1]
    ids = np.arange(len(first), dtype=np.int64)
    line = tenures.line[first]
    is_mobile = line < MOBILE_LINES
    opened = tenures.start[first]
    closed = tenures.end[np.append(first[1:], len(tenures.line)) - 1]
    is_taken_over = tenures.how_started[first] == HOW_STARTED.index("moved")
    # Whoever uses a number goes on using it when another contract takes it over.
    root = np.maximum.accumulate(np.where(is_taken_over, 0, ids))
    drawn = _stream(seed, "household").below(root, HOUSEHOLDS)
    household = np.where(is_mobile, drawn, line - MOBILE_LINES)
    member = _stream(seed, "user").below(root, people.size[household])
    user = np.where(is_mobile, people.first[household] + member, NOBODY)
    signer = people.first[household] + _stream(seed, "holder").below(ids, people.adults[household])
    wants_own = is_taken_over | _stream(seed, "wants_own").chance(ids, 700)
    holder = np.where(is_mobile & people.is_adult(user) & wants_own, user, signer)
    payer = _payer(seed, ids, people, holder)
    changes, changed = _payer_changes(seed, ids, opened, closed)
    later_payer = np.where(payer == holder, people.partner[holder], holder)
    changes &= later_payer != payer
    return Contracts(
        is_mobile=is_mobile,
        opened=opened,
        closed=closed,
        household=household,
        user=user,
        holder=holder,
        administrator=_administrator(seed, ids, people, holder),
        payer=payer,
        later_payer=np.where(changes, later_payer, payer),
        payer_changed=np.where(changes, changed, FOREVER),
    )


def _payer(seed: int, ids: Ints, people: People, holder: Ints) -> Ints:
    """Return the holder for 7 of 10, else the partner or the holder's parent, if there is one."""
    parent = np.where(people.parent[holder] == NOBODY, holder, people.parent[holder])
    choice = _stream(seed, "payer").choice(ids, (70, 20, 10))
    return np.choose(choice, [holder, people.partner[holder], parent])


def _administrator(seed: int, ids: Ints, people: People, holder: Ints) -> Ints:
    """Return the holder for 6 of 10, else the partner or the holder's child, if there is one."""
    child = np.where(people.child[holder] == NOBODY, holder, people.child[holder])
    choice = _stream(seed, "administrator").choice(ids, (60, 15, 25))
    return np.choose(choice, [holder, people.partner[holder], child])


def _payer_changes(seed: int, ids: Ints, opened: Ints, closed: Ints) -> tuple[Bools, Ints]:
    """Return which contracts get another payer, and when: at a minute while they run."""
    minutes = (np.minimum(closed, END) - opened) // MINUTE
    after = _stream(seed, "payer_changed").below(ids, np.maximum(minutes - 1, 1)) + 1
    return _stream(seed, "payer_changes").chance(ids, 200) & (minutes > 1), opened + after * MINUTE


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="contract", attribute=attribute)
