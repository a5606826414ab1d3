"""Device plans as an operational system: what is written down of instalments and their payers.

It writes three staging topics of the product `device-plans`: the age band of each adult, at the
beginning; an instalment when its deadline has passed; a handover to a collection agency, days
after that. Its tables: `plans`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from company.clock import BEGIN, DAY, END
from company.crm import instants
from company.draws import Ints
from company.identifiers import contract_numbers, person_ids
from company.plans import AGE_BANDS, DISTRICTS, age_bands, instalments
from company.world import build
from mesh.errors import WrongUse

__all__ = ["AGE_BAND", "HANDOVER", "INSTALMENT", "Plans", "total"]

_INSTANT = pa.timestamp("us", tz="UTC")
INSTALMENT = pa.schema(
    [
        pa.field("instalment_id", pa.string(), nullable=False),
        pa.field("contract_number", pa.string(), nullable=False),
        pa.field("payer_id", pa.string(), nullable=False),
        pa.field("district", pa.string(), nullable=False),
        pa.field("due_at", _INSTANT, nullable=False),
        pa.field("decided_at", _INSTANT, nullable=False),
        pa.field("outcome", pa.string(), nullable=False),
        pa.field("called_in", pa.bool_(), nullable=False),
    ]
)
HANDOVER = pa.schema(
    [
        pa.field("instalment_id", pa.string(), nullable=False),
        pa.field("contract_number", pa.string(), nullable=False),
        pa.field("handed_over_at", _INSTANT, nullable=False),
    ]
)
AGE_BAND = pa.schema(
    [
        pa.field("person_id", pa.string(), nullable=False),
        pa.field("age_band", pa.string(), nullable=False),
        pa.field("declared_at", _INSTANT, nullable=False),
    ]
)
_DECIDED_AFTER, _HANDED_OVER_AFTER = 30 * DAY, 35 * DAY
# The last month whose instalments are decided before the world ends.
_LAST_MONTH = (END - BEGIN) // (31 * DAY)


@dataclass(frozen=True, slots=True)
class Plans:
    """The operational system that `device-plans` reads; a `mesh.product.systems.System`."""

    principal: str = "leasing"
    usual_count: int = 20_000

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 20_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield *count* records from number *start* on, by input port, in the order of writing.

        Raises `WrongUse` beyond the last record of the world.
        """
        known, stop, most = 0, start + count, total(seed)
        if start < 0 or count < 0 or stop > most:
            raise WrongUse(
                f"leasing writes records 0 to {most - 1:,}: ask for fewer than {count:,}"
                f" from {start:,} on"
            )
        for _, port, rows in _written(seed):
            first, last = max(start - known, 0), min(stop - known, rows.num_rows)
            for begin in range(first, last, batch_rows):
                yield {port: rows.slice(begin, min(batch_rows, last - begin)).combine_chunks()}
            known += rows.num_rows
            if known >= stop:
                return

    def count_until(self, seed: int, at: int) -> int:
        """Return how many records are written before the instant *at*, in microseconds."""
        count = 0
        for written, _, rows in _written(seed):
            if written >= at:
                break
            count += rows.num_rows
        return count


@lru_cache(maxsize=1)
def total(seed: int) -> int:
    """Return how many records there are in all."""
    months = (instalments(build(seed), month) for month in range(1, _LAST_MONTH))
    count: int = _bands(seed).num_rows
    return count + sum(len(each.id) + int(each.is_unpaid.sum()) for each in months)


def _written(seed: int) -> Iterator[tuple[int, str, pa.Table]]:
    """Yield when, to which port, and all that is written down at one instant, in order."""
    yield BEGIN, "declared-age-bands", _bands(seed)
    for month in range(1, _LAST_MONTH):
        due_at, settled, handed_over = _month(seed, month)
        yield due_at + _DECIDED_AFTER, "settled-instalments", settled
        yield due_at + _HANDED_OVER_AFTER, "agency-handovers", handed_over


def _bands(seed: int) -> pa.Table:
    world = build(seed)
    everybody = np.arange(len(world.people.household), dtype=np.int64)
    adults = everybody[world.people.is_adult(everybody)]
    bands = pa.array(AGE_BANDS).take(pa.array(age_bands(world, adults)))
    declared = instants(np.full(len(adults), BEGIN, dtype=np.int64))
    return pa.table([person_ids(adults), bands, declared], schema=AGE_BAND)


@lru_cache(maxsize=16)
def _month(seed: int, month: int) -> tuple[int, pa.Table, pa.Table]:
    """Return when those of *month* are due, how they ended, and which were handed over."""
    found = instalments(build(seed), month)
    numbers = [f"L-{one:09}" for one in found.id.tolist()]
    contracts = contract_numbers(found.contract)
    settled = pa.table(
        [
            numbers,
            contracts,
            person_ids(found.payer),
            pa.array(DISTRICTS).take(pa.array(found.district)),
            instants(_all(found.id, found.due_at)),
            instants(_all(found.id, found.due_at + _DECIDED_AFTER)),
            pa.array(["paid", "unpaid"]).take(pa.array(found.is_unpaid.astype(np.int64))),
            pa.array(found.is_called_in),
        ],
        schema=INSTALMENT,
    )
    unpaid = pa.array(np.flatnonzero(found.is_unpaid))
    handed = instants(_all(found.id, found.due_at + _HANDED_OVER_AFTER))
    handed_over = pa.table([numbers, contracts, handed], schema=HANDOVER).take(unpaid)
    return found.due_at, settled, handed_over


def _all(ids: Ints, at: int) -> Ints:
    return np.full(len(ids), at, dtype=np.int64)
