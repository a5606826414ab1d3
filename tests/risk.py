"""What payment risk learns from: the company's tables up to a day, as its input ports have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache

import pyarrow as pa

from company.billing_system import Billing
from company.clock import DAY, micros
from company.plans_system import Plans
from mesh.product.systems import System

__all__ = ["AS_OF", "LATER", "counts", "inputs"]

AS_OF, LATER = date(2026, 4, 30), date(2026, 5, 31)
PORTS = {
    "sent-invoices": "invoices",
    "received-payments": "payments",
    "settled-instalments": "instalments",
    "agency-handovers": "handovers",
    "declared-age-bands": "payer_age_bands",
}


def counts(day: date) -> dict[str, int]:
    """How many records each system has written at the end of *day*."""
    at = micros(datetime.combine(day, time(), UTC)) + DAY
    return {"billing": Billing().count_until(7, at), "device-plans": Plans().count_until(7, at)}


@lru_cache(maxsize=2)
def inputs(day: date) -> Mapping[str, pa.Table]:
    """The rows of each input port at the end of *day*."""
    found: dict[str, list[pa.Table]] = {}
    count = counts(day)
    for port, rows in (*told(Billing(), count["billing"]), *told(Plans(), count["device-plans"])):
        if port in PORTS:
            found.setdefault(PORTS[port], []).append(rows)
    return {name: pa.concat_tables(each).combine_chunks() for name, each in found.items()}


def told(system: System, count: int) -> Iterator[tuple[str, pa.Table]]:
    """What a system writes, by port."""
    for batch in system.batches(7, count):
        yield from batch.items()
