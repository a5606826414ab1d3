"""Billing as an operational system: what finance writes down of accounts, payers and money.

It writes four staging topics of the product `billing`: one record a change of an account or its
payer, one an invoice, one a payment. It sees no phone number and no call. Its tables: `billing`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from company.billing import counts, invoices, payments
from company.billing_facts import ACCOUNT, facts_of
from company.changes import Stated, Troubles
from company.clock import END, micros
from company.draws import Ints
from company.identifiers import billing_account_numbers, contract_numbers, person_ids
from company.journal import Journal, keep_journal, link_changes, merged
from company.world import World, build
from mesh.errors import WrongUse

__all__ = ["INVOICE", "PAYMENT", "Billing", "kept", "links"]

_INSTANT = pa.timestamp("us", tz="UTC")
_MONEY = (
    pa.field("amount", pa.decimal128(12, 2), nullable=False),
    pa.field("currency", pa.string(), nullable=False),
)
INVOICE = pa.schema(
    [
        pa.field("invoice_id", pa.string(), nullable=False),
        pa.field("billing_account_number", pa.string(), nullable=False),
        pa.field("contract_number", pa.string(), nullable=False),
        pa.field("issued_at", _INSTANT, nullable=False),
        pa.field("due_at", _INSTANT, nullable=False),
        *_MONEY,
    ]
)
PAYMENT = pa.schema(
    [
        pa.field("payment_id", pa.string(), nullable=False),
        pa.field("invoice_id", pa.string(), nullable=False),
        pa.field("billing_account_number", pa.string(), nullable=False),
        pa.field("paid_at", _INSTANT, nullable=False),
        *_MONEY,
    ]
)
# Whoever pays late does so within two months.
_MONTHS_UNTIL_PAID = 2


@dataclass(frozen=True, slots=True)
class Billing:
    """The operational system that `billing` reads; a `mesh.product.systems.System`."""

    principal: str = "invoicing"
    usual_count: int = 40_000
    troubles: Troubles = field(default_factory=Troubles)

    def batches(
        self, seed: int, count: int, start: int = 0, batch_rows: int = 20_000
    ) -> Iterator[Mapping[str, pa.Table]]:
        """Yield *count* records from number *start* on, by input port, in the order of writing.

        Raises `WrongUse` beyond the last record of the world.
        """
        most = total(seed, self.troubles)
        if start < 0 or count < 0 or start + count > most:
            raise WrongUse(
                f"billing writes records 0 to {most - 1:,}: ask for fewer than {count:,}"
                f" from {start:,} on"
            )
        stop, known = start + count, 0
        for month in range(_last_month() + 1):
            if known >= stop:
                return
            times, written = _written(build(seed), kept(seed, self.troubles), month)
            size = len(times)
            first, last = max(start - known, 0), min(stop - known, size)
            for begin in range(first, last, batch_rows):
                yield _cut(written, begin, min(begin + batch_rows, last))
            known += size

    def count_until(self, seed: int, at: int) -> int:
        """Return how many records are written before the instant *at*, in microseconds."""
        count = 0
        for month in range(_last_month() + 1):
            if month and _begin(month) >= at:
                break
            times, _ = _written(build(seed), kept(seed, self.troubles), month)
            count += int(times.searchsorted(at))
        return count


@lru_cache(maxsize=1)
def kept(seed: int, troubles: Troubles) -> Journal:
    """Return all records of links; those of money are made month by month."""
    return keep_journal(seed, facts_of(build(seed)), troubles)


@lru_cache(maxsize=1)
def total(seed: int, troubles: Troubles) -> int:
    """Return how many records there are in all."""
    months = [month for month in range(1, _last_month()) if _begin(month) < END]
    money = sum(sum(counts(build(seed), month)) for month in months)
    return money + len(kept(seed, troubles))


def _last_month() -> int:
    """Return the month in which the last payments come."""
    return (END - _begin(0)) * 12 // (_begin(12) - _begin(0)) + _MONTHS_UNTIL_PAID + 1


def _begin(month: int) -> int:
    """Return when *month* begins, 0 being January 2026."""
    year, since_january = divmod(month, 12)
    return micros(datetime(2026 + year, since_january + 1, 1, tzinfo=UTC))


def _written(
    world: World, journal: Journal, month: int
) -> tuple[Ints, dict[str, tuple[Ints, pa.Table]]]:
    """Return when the records of *month* are written, and by port their places and rows.

    The first month has what was written before it too, the last what is written after.
    """
    ends = np.array([_begin(month), _begin(month + 1)])
    first, last = journal.written.searchsorted(ends).tolist()
    first = 0 if month == 0 else first
    last = len(journal) if month == _last_month() else last
    parts = [*links(journal, first, last), *_money(world, month, ends)]
    # A month after the world's end may have no record.
    times = np.concatenate([np.empty(0, np.int64), *(written for _, written, _ in parts)])
    order = np.argsort(times, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    bounds = np.cumsum([0, *(len(written) for _, written, _ in parts)]).tolist()
    placed = [
        (port, place[bounds[n] : bounds[n + 1]], rows) for n, (port, _, rows) in enumerate(parts)
    ]
    places = {
        port: np.sort(np.concatenate([at for name, at, _ in placed if name == port]))
        for port, _, _ in placed
    }
    return times[order], {port: (places[port], rows) for port, rows in merged(placed).items()}


def _cut(
    written: Mapping[str, tuple[Ints, pa.Table]], start: int, stop: int
) -> dict[str, pa.Table]:
    """Return the records of a month from *start* up to *stop*, by port."""
    found = {}
    for port, (places, rows) in written.items():
        first, last = places.searchsorted([start, stop]).tolist()
        if first < last:
            found[port] = rows.slice(first, last - first)
    return found


def links(journal: Journal, start: int, stop: int) -> Iterator[tuple[str, Ints, pa.Table]]:
    """Yield the records of links by port, with when they are written."""
    for kind, _, stated, written in journal.stated(start, stop):
        port = "account-changes" if kind == ACCOUNT else "payer-changes"
        yield port, written, _link_rows(kind, stated, written)


def _link_rows(kind: str, stated: Stated, written: Ints) -> pa.Table:
    if kind == ACCOUNT:
        ends = {
            "contract_number": contract_numbers(stated.source),
            "billing_account_number": billing_account_numbers(stated.target),
        }
        return link_changes("B", stated, written, ends)
    ends = {
        "billing_account_number": billing_account_numbers(stated.source),
        "payer_id": person_ids(stated.target),
    }
    return link_changes("P", stated, written, ends)


def _money(world: World, month: int, ends: Ints) -> list[tuple[str, Ints, pa.Table]]:
    """Return the invoices of *month*, and the payments of it and of months before."""
    found = []
    if month >= 1 and _begin(month) < END:
        sent = invoices(world, month)
        ids = [f"I-{one:09}" for one in sent["invoice_id"].to_pylist()]
        columns = [ids, *sent.columns[1:5], *_amount(sent)]
        rows = pa.table(columns, schema=INVOICE)
        found.append(("sent-invoices", _micros(rows["issued_at"]), rows))
    for earlier in range(max(1, month - _MONTHS_UNTIL_PAID), month + 1):
        if _begin(earlier) >= END:
            continue
        paid = payments(world, earlier)
        when = _micros(paid["paid_at"])
        chosen = np.flatnonzero((when >= ends[0]) & (when < ends[1]))
        paid = paid.take(pa.array(chosen))
        numbers = paid["invoice_id"].to_pylist()
        ids = [pa.array([f"{mark}-{one:09}" for one in numbers]) for mark in ("Y", "I")]
        rows = pa.table([*ids, *paid.columns[2:4], *_amount(paid)], schema=PAYMENT)
        found.append(("received-payments", when[chosen], rows))
    return found


def _amount(rows: pa.Table) -> list[pa.Array]:
    """Return amount and currency of rows in cents."""
    cents = pc.cast(rows["amount_cents"], pa.decimal128(19, 0))
    dollars = pc.multiply(cents, pa.scalar(Decimal("0.01"))).cast(_MONEY[0].type)
    return [dollars, pa.array(["USD"] * rows.num_rows)]


def _micros(instants: pa.ChunkedArray) -> Ints:
    found: Ints = instants.cast(pa.int64()).to_numpy()
    return found
