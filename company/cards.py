"""The person cards of the operational systems: a card for each role that a person has in one.

The CRM keeps one of the holder and one of the user of each contract, billing one of each account's
payer, leasing one of whoever applied for a device plan. They come with the same records as the
mesh gets, their mistakes and corrections included; where the mesh is given a person's id, a card
has what a clerk wrote. Not here: what the clerk wrote (`handwriting`).

    held = Cards().held(seed, until)        # no system knows whose they are
    whose = Cards().persons(seed, until)    # the world does
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from company import billing_system, crm_system
from company.billing_facts import PAYER
from company.calls import CALLS_PER_DAY
from company.changes import Stated, Troubles
from company.clock import BEGIN, FOREVER, HOUR
from company.crm import instants
from company.draws import Ints
from company.handwriting import take_down
from company.identifiers import billing_account_numbers, contract_numbers, person_ids
from company.journal import Journal
from company.plans import has_plan
from company.telephony import Telephony
from company.truth import of_numbers
from company.world import World, build

__all__ = ["Cards"]

_ROLES = ("holder", "user")
# More than there are persons: a card and a person are one number.
_PERSONS = 1 << 13


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of this company and the truth about them; a `mesh.migrate.mdm.source.Cards`."""

    troubles: Troubles = field(default_factory=Troubles)

    @property
    def begin(self) -> int:
        """The first instant of the calls, in microseconds."""
        return BEGIN

    def held(self, seed: int, until: int) -> pa.Table:
        """Return what was written on cards before the instant *until*, one row a revision."""
        return pa.concat_tables(
            rows.append_column("system", pa.array([system] * rows.num_rows))
            for system, _, rows in _written(build(seed), self.troubles, until)
        )

    def persons(self, seed: int, until: int) -> list[str]:
        """Return whose the cards of `held` are, row by row, as the world knows and no system."""
        found = [person for _, person, _ in _written(build(seed), self.troubles, until)]
        return person_ids(np.concatenate(found))

    def calls(self, seed: int, day: int) -> pa.Table:
        """Return number and instant of each call of a day, 0 being the first."""
        batches = Telephony().batches(seed, CALLS_PER_DAY, day * CALLS_PER_DAY)
        rows = pa.concat_tables(each["finished-calls"] for each in batches)
        return pa.table({"phone_number": rows["phone_number"], "at": rows["started_at"]})

    def truth(self, seed: int, calls: pa.Table) -> pa.Table:
        """Return who was what to each number at each instant, null where nobody was."""
        return of_numbers(build(seed), calls["phone_number"], calls["at"])

    def reassigned(self, seed: int, begin: int, end: int) -> pa.Table:
        """Return which numbers got another user between two instants, and when."""
        world = build(seed)
        tenures = world.tenures
        chosen = np.flatnonzero(
            (tenures.start >= begin) & (tenures.start < end) & (tenures.number >= 0)
        )
        numbers = pa.array(world.phone_numbers).take(pa.array(tenures.number[chosen]))
        starts = tenures.start[chosen]
        before = of_numbers(world, numbers, instants(starts - 1))["user_id"]
        after = of_numbers(world, numbers, instants(starts))["user_id"]
        is_other = pc.fill_null(pc.not_equal(before, after), True)
        found = pa.table({"phone_number": numbers, "at": instants(starts)})
        return found.filter(is_other)


def _written(world: World, troubles: Troubles, until: int) -> Iterator[tuple[str, Ints, pa.Table]]:
    """Yield system, whose, and what is written on cards, in the order of writing."""
    crm = crm_system.kept(world.seed, troubles)
    for kind, stated, written in _stated(crm, until, _ROLES):
        about = contract_numbers(stated.source)
        yield "crm", stated.target, _rows(world, "crm", kind, stated, written, about)
    billing = billing_system.kept(world.seed, troubles)
    for kind, stated, written in _stated(billing, until, (PAYER,)):
        about = billing_account_numbers(stated.source)
        yield "billing", stated.target, _rows(world, "billing", kind, stated, written, about)
    stated = _applied(world, until)
    about = contract_numbers(stated.source)
    rows = _rows(world, "leasing", "applicant", stated, stated.start + HOUR, about)
    yield "leasing", stated.target, rows


def _stated(
    journal: Journal, until: int, kinds: tuple[str, ...]
) -> Iterator[tuple[str, Stated, Ints]]:
    stop = int(journal.written.searchsorted(until))
    for kind, _, stated, written in journal.stated(0, stop):
        if kind in kinds:
            yield kind, stated, written


def _applied(world: World, until: int) -> Stated:
    """Return one statement a contract whose device is paid for in instalments."""
    signed = world.contracts
    opened = np.flatnonzero(signed.opened + HOUR < until).astype(np.int64)
    contract = opened[has_plan(world, opened)]
    ones = np.ones(len(contract), dtype=np.int64)
    return Stated(
        source=contract,
        target=signed.payer[contract],
        start=signed.opened[contract],
        end=FOREVER * ones,
        revision=ones,
        is_retracted=ones < 1,
        is_own=ones > 0,
        index=contract,
    )


def _rows(
    world: World, system: str, role: str, stated: Stated, written: Ints, about: list[str]
) -> pa.Table:
    text = take_down(world, system, _texts(role, stated), stated.target, stated.start)
    columns = {
        "card_id": [f"{system}/{each}" for each in stated.link_ids(role[0].upper())],
        "revision": stated.revision,
        "role": [role] * len(written),
        "about": about,
        **{name: text[name] for name in text.column_names},
        "valid_from": instants(stated.start),
        "valid_to": instants(stated.end),
        "is_retracted": pa.array(stated.is_retracted),
        "written_at": instants(written),
    }
    return pa.table(columns)


def _texts(role: str, stated: Stated) -> Ints:
    """Return a number for each card and person: so a card that is corrected reads otherwise."""
    role_number = ("holder", "user", PAYER, "applicant").index(role)
    return ((stated.index * 4 + role_number) << 1 | ~stated.is_own) * _PERSONS + stated.target
