"""The CRM as an operational system: what sales writes down of contracts, numbers and roles.

It writes four staging topics of the product `contracts`, one record a change. It sees no call, no
invoice and no payer. Not here: the facts (`crm_facts`), and their state as tables (`crm`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from company.changes import Stated, Troubles
from company.crm import instants
from company.crm_facts import CONTRACT, HOUSEHOLD, NUMBER, facts_of
from company.draws import Ints
from company.identifiers import contract_numbers, household_ids, person_ids
from company.journal import Journal, keep_journal, link_changes, merged
from company.world import World, build
from mesh.errors import WrongUse

__all__ = ["CONTRACT_CHANGE", "Crm", "records"]

_INSTANT = pa.timestamp("us", tz="UTC")
CONTRACT_CHANGE = pa.schema(
    [
        pa.field("change_id", pa.string(), nullable=False),
        pa.field("contract_number", pa.string(), nullable=False),
        pa.field("revision", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("opened_at", _INSTANT, nullable=False),
        pa.field("closed_at", _INSTANT),
        pa.field("written_at", _INSTANT, nullable=False),
    ]
)
_KINDS = ("internet", "mobile")


@dataclass(frozen=True, slots=True)
class Crm:
    """The operational system that `contracts` reads; a `mesh.product.systems.System`."""

    principal: str = "crm"
    usual_count: int = 65_000
    troubles: Troubles = field(default_factory=Troubles)

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 20_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield *count* records from number *start* on, by input port, in the order of writing.

        Raises `WrongUse` beyond the last record of the world.
        """
        journal = kept(seed, self.troubles)
        stop = start + count
        if start < 0 or count < 0 or stop > len(journal):
            raise WrongUse(
                f"the CRM writes records 0 to {len(journal) - 1:,}: ask for fewer than"
                f" {count:,} from {start:,} on"
            )
        for begin in range(start, stop, batch_rows):
            yield records(build(seed), journal, begin, min(begin + batch_rows, stop))

    def count_until(self, seed: int, at: int) -> int:
        """Return how many records are written before the instant *at*, in microseconds."""
        return int(kept(seed, self.troubles).written.searchsorted(at))


@lru_cache(maxsize=1)
def kept(seed: int, troubles: Troubles) -> Journal:
    """Return the whole journal: some two million records, 50 MB, a second."""
    return keep_journal(seed, facts_of(build(seed)), troubles)


def records(world: World, journal: Journal, start: int, stop: int) -> dict[str, pa.Table]:
    """Return the records from *start* up to *stop* by input port."""
    parts = []
    for kind, places, stated, written in journal.stated(start, stop):
        port, rows = _rows(world, kind, stated, written)
        parts.append((port, places, rows))
    return merged(parts)


def _rows(world: World, kind: str, stated: Stated, written: Ints) -> tuple[str, pa.Table]:
    if kind == CONTRACT:
        return "contract-changes", _contract_changes(stated, written)
    if kind == NUMBER:
        ends = {
            "phone_number": pa.array(world.phone_numbers).take(pa.array(stated.source)),
            "contract_number": contract_numbers(stated.target),
        }
        return "number-changes", link_changes("N", stated, written, ends)
    contract = {"contract_number": contract_numbers(stated.source)}
    if kind == HOUSEHOLD:
        ends = {**contract, "household_id": household_ids(stated.target)}
        return "household-changes", link_changes("G", stated, written, ends)
    ends = {**contract, "role": [kind] * len(written), "person_id": person_ids(stated.target)}
    return "role-changes", link_changes(kind[0].upper(), stated, written, ends)


def _contract_changes(stated: Stated, written: Ints) -> pa.Table:
    numbers = contract_numbers(stated.source)
    revisions = stated.revision.tolist()
    columns = [
        [f"{number}-{n}" for number, n in zip(numbers, revisions, strict=True)],
        numbers,
        revisions,
        pa.array(_KINDS).take(pa.array(stated.target)),
        instants(stated.start),
        instants(stated.end),
        instants(written),
    ]
    return pa.table(columns, schema=CONTRACT_CHANGE)
