"""The CRM, as sales sees it: persons, households, contracts, roles, and the numbers of contracts.

It sees no call, no invoice and no billing account. Tables here, as they are in truth; the system
that writes them down is `crm_system`. All intervals run from their start up to, but not including,
their end; null is open.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from company.clock import FOREVER
from company.draws import Bools, Ints
from company.identifiers import contract_numbers, household_ids, person_ids
from company.lines import HOW_ENDED, HOW_STARTED, NO_NUMBER
from company.names import cities, email_addresses, family_names, given_names, streets
from company.world import World

__all__ = ["contracts", "instants", "numbers", "persons", "roles"]


def persons(world: World) -> pa.Table:
    """Return one row per person."""
    household = world.people.household
    ids = np.arange(len(household), dtype=np.int64)
    given = given_names(world.seed, ids)
    family = family_names(world.seed, household)
    return pa.table(
        {
            "person_id": person_ids(ids),
            "household_id": household_ids(household),
            "given_name": given,
            "family_name": family,
            "email": email_addresses(given, family, ids),
            "street": streets(world.seed, household),
            "city": cities(world.seed, household),
        }
    )


def contracts(world: World) -> pa.Table:
    """Return one row per contract."""
    signed = world.contracts
    return pa.table(
        {
            "contract_number": contract_numbers(np.arange(len(signed.opened), dtype=np.int64)),
            "kind": np.where(signed.is_mobile, "mobile", "internet").tolist(),
            "opened_at": instants(signed.opened),
            "closed_at": instants(signed.closed),
        }
    )


def numbers(world: World) -> pa.Table:
    """Return one row per phone number and time under a contract, with how that began and ended."""
    tenures = world.tenures
    has_number = tenures.number != NO_NUMBER
    return pa.table(
        {
            "phone_number": pa.array(world.phone_numbers).take(
                pa.array(tenures.number[has_number])
            ),
            "contract_number": contract_numbers(tenures.contract[has_number]),
            "valid_from": instants(tenures.start[has_number]),
            "valid_to": instants(tenures.end[has_number]),
            "how_started": pa.array(HOW_STARTED).take(pa.array(tenures.how_started[has_number])),
            "how_ended": pa.array(HOW_ENDED).take(pa.array(tenures.how_ended[has_number])),
        }
    )


def roles(world: World) -> pa.Table:
    """Return one row per contract, role, person and time (resident: internet, user: mobile)."""
    signed = world.contracts
    every = np.arange(len(signed.opened), dtype=np.int64)
    mobile, internet = every[signed.is_mobile], every[~signed.is_mobile]
    first_payer_until = np.minimum(signed.closed, signed.payer_changed)
    changed = every[signed.payer_changed < FOREVER]
    size = world.people.size[signed.household[internet]]
    at_home = np.repeat(internet, size)
    place = np.arange(len(at_home)) - np.repeat(np.cumsum(size) - size, size)
    residents = world.people.first[signed.household[at_home]] + place
    parts = [
        ("holder", every, signed.holder[every], signed.opened, signed.closed),
        ("administrator", every, signed.administrator[every], signed.opened, signed.closed),
        ("payer", every, signed.payer[every], signed.opened, first_payer_until),
        ("payer", changed, signed.later_payer[changed], signed.payer_changed, signed.closed),
        ("user", mobile, signed.user[mobile], signed.opened, signed.closed),
        ("resident", at_home, residents, signed.opened, signed.closed),
    ]
    return pa.concat_tables(
        pa.table(
            {
                "contract_number": contract_numbers(contract),
                "role": [role] * len(contract),
                "person_id": person_ids(person),
                "valid_from": instants(since[contract]),
                "valid_to": instants(until[contract]),
            }
        )
        for role, contract, person, since, until in parts
    )


def instants(micros: Ints) -> pa.Array:
    """Return instants for Arrow, null for what has no end."""
    is_open: Bools = micros >= FOREVER
    return pa.array(micros, mask=is_open).cast(pa.timestamp("us", tz="UTC"))
