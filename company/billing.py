"""Billing, as finance sees it: accounts, who pays them, invoices, payments.

It sees contracts and payers, and no phone number and no call. Tables here, as they are in truth;
the system that writes them down is `billing_system`. Money is in whole cents of the dollar. A
person who pays has one account; when a contract gets another payer, it moves to that person's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from company.clock import DAY, HOUR, MINUTE, micros
from company.crm import instants
from company.draws import Bools, Ints, Stream
from company.identifiers import billing_account_numbers, contract_numbers, person_ids
from company.world import World

__all__ = ["LATE_OR_NEVER", "accounts", "counts", "invoices", "payments", "when_paid"]

_BASE_FEE_CENTS = (990, 1490, 1990, 2990, 4490)
_DUE_AFTER = 14 * DAY
_LATE_PER_MILLE, _NEVER_PER_MILLE = 150, 30
LATE_OR_NEVER, _NEVER = 1, 2
# Contracts times this, plus the month, is an invoice's id: some 830 months are below 1024.
_MONTHS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Invoices:
    id: Ints
    contract: Ints
    payer: Ints
    issued: Ints
    amount_cents: Ints


def accounts(world: World) -> pa.Table:
    """Return one row per billing account, with the person who pays it."""
    signed = world.contracts
    payers = np.unique(np.concatenate([signed.payer, signed.later_payer]))
    return pa.table(
        {
            "billing_account_number": billing_account_numbers(payers),
            "payer_id": person_ids(payers),
        }
    )


def invoices(world: World, month: int) -> pa.Table:
    """Return one row per contract invoiced on the first day of *month*, 1 being February 2026."""
    issued = _issue(world, month)
    return pa.table(
        {
            "invoice_id": issued.id,
            "billing_account_number": billing_account_numbers(issued.payer),
            "contract_number": contract_numbers(issued.contract),
            "issued_at": instants(issued.issued),
            "due_at": instants(issued.issued + _DUE_AFTER),
            "amount_cents": issued.amount_cents,
        }
    )


def payments(world: World, month: int) -> pa.Table:
    """Return one row per payment of an invoice of *month*: most in time, some late, some never."""
    issued = _issue(world, month)
    when = when_paid(world, issued.id)
    within = _stream(world.seed, "payment", "within").below(issued.id, 13 * DAY // MINUTE) * MINUTE
    late = _DUE_AFTER + DAY + 3 * within
    paid = issued.issued + np.where(when == 0, HOUR + within, late)
    is_paid: Bools = when < _NEVER
    return pa.table(
        {
            "payment_id": issued.id[is_paid],
            "invoice_id": issued.id[is_paid],
            "billing_account_number": billing_account_numbers(issued.payer[is_paid]),
            "paid_at": instants(paid[is_paid]),
            "amount_cents": issued.amount_cents[is_paid],
        }
    )


def counts(world: World, month: int) -> tuple[int, int]:
    """Return how many invoices there are of *month*, and how many payments of them."""
    issued = _issue(world, month)
    return len(issued.id), int((when_paid(world, issued.id) < _NEVER).sum())


def when_paid(world: World, invoice: Ints) -> Ints:
    """Return for each invoice whether it is paid in time (0), late or never."""
    weights = (1000 - _LATE_PER_MILLE - _NEVER_PER_MILLE, _LATE_PER_MILLE, _NEVER_PER_MILLE)
    return _stream(world.seed, "payment", "delay").choice(invoice, weights)


def _issue(world: World, month: int) -> _Invoices:
    """Return the invoices of the contracts that run when the month begins."""
    year, since_january = divmod(month, 12)
    at = micros(datetime(2026 + year, since_january + 1, 1, 3, tzinfo=UTC))
    signed = world.contracts
    running = np.flatnonzero((signed.opened <= at) & (at < signed.closed)).astype(np.int64)
    payer = np.where(at < signed.payer_changed, signed.payer, signed.later_payer)[running]
    invoice = running * _MONTHS + month
    tariff = _stream(world.seed, "contract", "tariff").below(running, len(_BASE_FEE_CENTS))
    usage = _stream(world.seed, "invoice", "usage").below(invoice, 1000)
    return _Invoices(
        id=invoice,
        contract=running,
        payer=payer,
        issued=np.full(len(running), at, dtype=np.int64),
        amount_cents=np.array(_BASE_FEE_CENTS, dtype=np.int64)[tariff] + usage,
    )


def _stream(seed: int, kind: str, attribute: str) -> Stream:
    return Stream(seed=seed, kind=kind, attribute=attribute)
