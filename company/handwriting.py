"""What stands on a person's card in one system: as a clerk took it down that day, slips included.

Former names and addresses stand on cards alone: the world itself is as it is now. The same card of
the same person always reads the same. Not here: which cards there are (`cards`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from company.clock import BEGIN, DAY
from company.draws import Bools, Ints, Stream
from company.lines import NO_NUMBER
from company.names import cities, family_names, former_family_names, given_names, streets
from company.plans import age_bands
from company.truth import tenure_at
from company.world import World

__all__ = ["CLERKS", "Clerk", "take_down"]

_FIRST_DAY = date(2026, 1, 1)
_BEFORE = "former_"
# Who married or moved did so within these days around the world's begin.
_SINCE_DAYS, _UNTIL_DAYS = 600, 60
_MARRIED_PER_MILLE, _MOVED_PER_MILLE = 250, 350
_SHORT = ((" Lane", " Ln"), (" Road", " Rd"), (" Street", " St"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clerk:
    """How many of 1000 cards have each fault, in one system."""

    slip: int
    nickname: int
    initial: int
    swapped: int
    short_street: int
    no_birth: int
    wrong_birth: int
    no_phone: int
    relatives_phone: int


CLERKS: Mapping[str, Clerk] = MappingProxyType(
    {
        "crm": Clerk(
            slip=50, nickname=60, initial=0, swapped=10, short_street=150, no_birth=40,
            wrong_birth=30, no_phone=150, relatives_phone=150,
        ),
        "billing": Clerk(
            slip=40, nickname=20, initial=150, swapped=5, short_street=600, no_birth=400,
            wrong_birth=20, no_phone=500, relatives_phone=100,
        ),
        "leasing": Clerk(
            slip=30, nickname=20, initial=0, swapped=5, short_street=50, no_birth=0,
            wrong_birth=15, no_phone=300, relatives_phone=100,
        ),
    }
)  # fmt: skip


def take_down(world: World, system: str, card: Ints, person: Ints, at: Ints) -> pa.Table:
    """Return what stands on each *card* of *system* about each *person*, taken down at *at*."""
    clerk, pen = CLERKS[system], _Pen(seed=world.seed, system=system, card=card)
    given, family = _names(world, clerk, pen, person, at)
    street, city = _address(world, person, at)
    short = pen.chance("short_street", clerk.short_street).tolist()
    street = [_shortened(one) if each else one for one, each in zip(street, short, strict=True)]
    number = _phone_numbers(world, clerk, pen, person, at)
    return pa.table(
        {
            "given_name": pen.slips("given_name", given, clerk.slip),
            "family_name": pen.slips("family_name", family, clerk.slip),
            "birth_date": _births(world, clerk, pen, person),
            "street": pen.slips("street", street, clerk.slip),
            "city": pen.slips("city", city, clerk.slip // 2),
            "phone_number": number,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pen:
    """The draws of some cards."""

    seed: int
    system: str
    card: Ints

    def stream(self, attribute: str) -> Stream:
        return Stream(seed=self.seed, kind=f"card-{self.system}", attribute=attribute)

    def chance(self, attribute: str, per_mille: int) -> Bools:
        return self.stream(attribute).chance(self.card, per_mille)

    def slips(self, attribute: str, words: list[str], per_mille: int) -> list[str]:
        """Return *words*, some of them with two letters swapped, one left out or one doubled."""
        is_wrong = self.chance(f"{attribute}_slip", per_mille)
        drawn = self.stream(f"{attribute}_where").below(self.card, 3_000_000).tolist()
        rows = zip(words, is_wrong.tolist(), drawn, strict=True)
        return [_slip(word, where) if wrong else word for word, wrong, where in rows]


def _slip(word: str, drawn: int) -> str:
    kind, place = drawn % 3, drawn // 3 % max(len(word) - 1, 1)
    before, here, after = word[:place], word[place : place + 1], word[place + 1 :]
    if kind == 0:
        return before + after[:1] + here + after[1:]
    return before + after if kind == 1 and len(word) > 1 else before + here + here + after


def _names(
    world: World, clerk: Clerk, pen: _Pen, person: Ints, at: Ints
) -> tuple[list[str], list[str]]:
    """Return given and family names as they were then, shortened or swapped by some clerks."""
    given = given_names(world.seed, person)
    family = family_names(world.seed, world.people.household[person])
    had = _before(world, "married", person, at, _MARRIED_PER_MILLE)
    had &= world.people.is_adult(person)
    former = former_family_names(world.seed, person)
    family = [one if old else two for one, two, old in zip(former, family, had, strict=True)]
    is_nick, is_initial = (
        pen.chance("nickname", clerk.nickname),
        pen.chance("initial", clerk.initial),
    )
    given = [
        f"{one[0]}." if initial else one[: max(3, len(one) - 2)] if nick else one
        for one, nick, initial in zip(given, is_nick.tolist(), is_initial.tolist(), strict=True)
    ]
    is_swapped = pen.chance("swapped", clerk.swapped).tolist()
    rows = zip(given, family, is_swapped, strict=True)
    found = [(two, one) if swapped else (one, two) for one, two, swapped in rows]
    return [one for one, _ in found], [two for _, two in found]


def _address(world: World, person: Ints, at: Ints) -> tuple[list[str], list[str]]:
    household = world.people.household[person]
    away = _before(world, "moved", household, at, _MOVED_PER_MILLE).tolist()
    found = []
    for write in (streets, cities):
        old, new = write(world.seed, household, _BEFORE), write(world.seed, household)
        found.append([a if is_old else b for a, b, is_old in zip(old, new, away, strict=True)])
    return found[0], found[1]


def _before(world: World, what: str, ids: Ints, at: Ints, per_mille: int) -> Bools:
    """Return to whom it has not yet happened at *at*, of those to whom it happens."""
    stream = Stream(seed=world.seed, kind="person", attribute=what)
    when = Stream(seed=world.seed, kind="person", attribute=f"{what}_when")
    day = when.below(ids, _SINCE_DAYS + _UNTIL_DAYS) - _SINCE_DAYS
    return stream.chance(ids, per_mille) & (at < BEGIN + day * DAY)


def _births(world: World, clerk: Clerk, pen: _Pen, person: Ints) -> pa.Array:
    """Return days of birth, by age band: some missing, some with another day or year."""
    adult = world.people.is_adult(person)
    is_young = age_bands(world, person) == 0
    least = np.where(adult, np.where(is_young, 18, 30), 4)
    most = np.where(adult, np.where(is_young, 30, 85), 18)
    stream = Stream(seed=world.seed, kind="person", attribute="birth")
    days = least * 365 + stream.below(person, (most - least) * 365)
    off = pen.stream("birth_off").choice(pen.card, (60, 25, 15))
    wrong = np.choose(off, [9, 365, 3650])
    days += np.where(pen.chance("wrong_birth", clerk.wrong_birth), wrong, 0)
    born = [str(_FIRST_DAY - timedelta(days=each)) for each in days.tolist()]
    return pa.array(born, pa.string(), mask=pen.chance("no_birth", clerk.no_birth))


def _phone_numbers(world: World, clerk: Clerk, pen: _Pen, person: Ints, at: Ints) -> pa.Array:
    """Return the number that each left: the one used then, or that of the household's first."""
    first = world.people.first[world.people.household[person]]
    asks = pen.chance("relatives_phone", clerk.relatives_phone)
    number = _number_used(world, np.where(asks, first, person), at)
    is_none = (number == NO_NUMBER) | pen.chance("no_phone", clerk.no_phone)
    texts = pa.array(world.phone_numbers).take(pa.array(np.maximum(number, 0)))
    return pa.array(texts.to_pylist(), pa.string(), mask=is_none)


def _number_used(world: World, person: Ints, at: Ints) -> Ints:
    """Return the number that each person uses at each instant, `NO_NUMBER` where none."""
    tenures = world.tenures
    tenure = tenure_at(world, world.contracts.user[tenures.contract], person, at)
    return np.where(tenure >= 0, tenures.number[tenure], NO_NUMBER)


def _shortened(street: str) -> str:
    for long, short in _SHORT:
        street = street.replace(long, short)
    return street
