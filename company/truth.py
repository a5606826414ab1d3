"""The right answers: who was behind a phone number at an instant, by the world alone.

Reads neither a record of a system nor a link; what nobody could know is null. `pairs` draws what
to ask: numbers at instants in, at the edges of, and outside of the times when somebody had them.
`homes` draws contracts for internet at home, which have no number, and residents.

    world = build(7)
    asked = pairs(world, np.arange(1_000))
    of_numbers(world, asked["phone_number"], asked["at"])
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from company.clock import BEGIN, MINUTE
from company.crm import instants
from company.draws import Bools, Ints, Stream
from company.identifiers import (
    billing_account_numbers,
    contract_numbers,
    household_ids,
    person_ids,
)
from company.lines import NO_NUMBER
from company.people import NOBODY
from company.world import World

__all__ = ["homes", "of_contracts", "of_numbers", "pairs", "residents_at", "tenure_at"]

# Of 1000 pairs: as many at the first instant of a tenure, at its last, between, and just before.
_WHERE = (240, 240, 480, 40)
_FIRST, _LAST, _BETWEEN, _BEFORE = range(4)


def pairs(world: World, index: Ints) -> pa.Table:
    """Return phone numbers and instants to ask about, the same for an index whatever else is asked.

    Of numbers as they change hands: each tenure is as likely, its edges as likely as the rest.
    """
    tenures = world.tenures
    held = np.flatnonzero(tenures.number != NO_NUMBER)
    tenure = held[_stream(world.seed, "tenure").below(index, len(held))]
    at = _asked_at(_stream, world.seed, index, tenures.start[tenure], tenures.end[tenure])
    return pa.table({"phone_number": _numbers(world, tenures.number[tenure]), "at": at})


def homes(world: World, index: Ints) -> pa.Table:
    """Return contracts for internet and instants to ask about, drawn as `pairs` are."""
    signed = world.contracts
    internet = np.flatnonzero(~signed.is_mobile)
    contract = internet[_home_stream(world.seed, "contract").below(index, len(internet))]
    at = _asked_at(
        _home_stream, world.seed, index, signed.opened[contract], signed.closed[contract]
    )
    return pa.table({"contract_number": contract_numbers(contract), "at": at})


def _asked_at(
    stream: Callable[[int, str], Stream], seed: int, index: Ints, start: Ints, end: Ints
) -> pa.Array:
    """Return instants in, at the edges of, and just before times from *start* to *end*."""
    # What has no end is asked about in its first hundred days.
    lasts = np.minimum(end - start, 100 * 1440 * MINUTE)
    last = np.where(end - start > lasts, start + lasts, end) - 1
    within = start + stream(seed, "within").below(index, lasts // MINUTE) * MINUTE
    where = stream(seed, "where").choice(index, _WHERE)
    return instants(np.choose(where, [start, last, within, start - 1]))


def of_numbers(
    world: World, phone_numbers: pa.ChunkedArray | pa.Array, at: pa.ChunkedArray | pa.Array
) -> pa.Table:
    """Return who was behind each number at each instant, null where nobody was.

    `is_resolvable` says whether somebody had the number.
    """
    number = pc.index_in(phone_numbers, pa.array(world.phone_numbers))
    number = pc.fill_null(number, -1).cast(pa.int64()).to_numpy()
    moment = _micros(at)
    known = np.maximum(number, 0)
    tenure = np.where(number < 0, -1, tenure_at(world, world.tenures.number, known, moment))
    contract = np.where(tenure < 0, -1, world.tenures.contract[tenure])
    columns = {"phone_number": phone_numbers, "at": at, **_answers(world, contract, moment)}
    return pa.table({**columns, "is_resolvable": contract >= 0})


def of_contracts(
    world: World, contracts: pa.ChunkedArray | pa.Array, at: pa.ChunkedArray | pa.Array
) -> pa.Table:
    """Return who was what to each contract at each instant, null where it did not run."""
    contract, moment, signed = _contracts(contracts), _micros(at), world.contracts
    runs = (signed.opened[contract] <= moment) & (moment < signed.closed[contract])
    answers = _answers(world, np.where(runs, contract, -1), moment)
    return pa.table({**answers, "contract_number": contracts, "at": at, "is_resolvable": runs})


def residents_at(
    world: World, contracts: pa.ChunkedArray | pa.Array, at: pa.ChunkedArray | pa.Array
) -> pa.Table:
    """Return who lived where each contract's internet was delivered at each instant, in order.

    Nobody where it did not run, or is no internet: then it is not resolvable.
    """
    contract, moment, signed = _contracts(contracts), _micros(at), world.contracts
    runs = (signed.opened[contract] <= moment) & (moment < signed.closed[contract])
    runs &= ~signed.is_mobile[contract]
    household = signed.household[contract]
    size = np.where(runs, world.people.size[household], 0)
    begin = np.concatenate([[0], np.cumsum(size)])
    person = np.repeat(world.people.first[household] - begin[:-1], size) + np.arange(begin[-1])
    residents = pa.ListArray.from_arrays(pa.array(begin, pa.int32()), person_ids(person))
    return pa.table(
        {"contract_number": contracts, "at": at, "resident_ids": residents, "is_resolvable": runs}
    )


def _answers(world: World, contract: Ints, at: Ints) -> dict[str, pa.Array]:
    """Return contract, account and persons, for contracts that run at these instants."""
    signed, is_none = world.contracts, contract < 0
    place = np.where(is_none, 0, contract)
    has_changed = at >= signed.payer_changed[place]
    payer = np.where(has_changed, signed.later_payer[place], signed.payer[place])
    user = signed.user[place]
    return {
        "contract_number": _texts(contract_numbers, place, is_none),
        "billing_account_number": _texts(billing_account_numbers, payer, is_none),
        "holder_id": _texts(person_ids, signed.holder[place], is_none),
        "user_id": _texts(person_ids, user, is_none | (user == NOBODY)),
        "payer_id": _texts(person_ids, payer, is_none),
        "administrator_id": _texts(person_ids, signed.administrator[place], is_none),
        "household_id": _texts(household_ids, signed.household[place], is_none),
    }


def _texts(write: Callable[[Ints], list[str]], ids: Ints, is_none: Bools) -> pa.Array:
    """Return identifiers, null where there is none."""
    return pa.array(write(ids), pa.string(), mask=is_none)


def tenure_at(world: World, of: Ints, wanted: Ints, at: Ints) -> Ints:
    """Return the newest tenure of a number that each *wanted* had at its instant, -1 where none.

    *of* says what each tenure is looked up by: its number, or whoever uses it; -1 is nothing.
    """
    tenures = world.tenures
    held = np.flatnonzero((tenures.number != NO_NUMBER) & (of >= 0))
    order = held[np.lexsort((tenures.start[held], of[held]))]
    along = _timeline(of[order], tenures.start[order])
    found = np.searchsorted(along, _timeline(wanted, at), side="right") - 1
    tenure = order[np.maximum(found, 0)]
    has = (found >= 0) & (of[tenure] == wanted) & (at < tenures.end[tenure])
    return np.where(has, tenure, -1)


def _timeline(number: Ints, at: Ints) -> NDArray[np.uint64]:
    """Return instants in an order by number first: 51 bits hold the world's time, 13 a number."""
    since = (np.clip(at - BEGIN, -(2**50), 2**50 - 1) + 2**50).astype(np.uint64)
    return (number.astype(np.uint64) << np.uint64(51)) | since


def _numbers(world: World, number: Ints) -> pa.Array:
    return pa.array(world.phone_numbers).take(pa.array(number))


def _contracts(numbers: pa.ChunkedArray | pa.Array) -> Ints:
    """Return which contracts *numbers* are: the digits but the last, which checks them."""
    found: Ints = pc.utf8_slice_codeunits(numbers, 2, -1).cast(pa.int64()).to_numpy()
    return found


def _micros(at: pa.ChunkedArray | pa.Array) -> Ints:
    found: Ints = at.cast(pa.int64()).to_numpy()
    return found


def _stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="pair", attribute=attribute)


def _home_stream(seed: int, attribute: str) -> Stream:
    return Stream(seed=seed, kind="home", attribute=attribute)
