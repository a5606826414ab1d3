"""What the operational systems send to the warehouse each night: the same records as to the mesh.

Telephony sends the calls of the day; the other two, all that was written until two in the morning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pyarrow as pa

from company.billing_system import Billing
from company.calls import CALLS_PER_DAY
from company.clock import BEGIN, HOUR, instant, micros
from company.crm_system import Crm
from company.telephony import Telephony

__all__ = ["Warehouse"]

FIRST = instant(BEGIN).date()
CUT = 26 * HOUR
# Of roles and accounts it never heard.
KEPT = {
    "finished_calls", "contract_changes", "number_changes", "household_changes",
    "payer_changes", "sent_invoices", "received_payments",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Warehouse:
    """The warehouse of this company; a `mesh.migrate.warehouse.Warehouse`."""

    folder: Path = Path(__file__).parent
    first_night: date = FIRST

    def extracts(self, seed: int, night: date) -> Mapping[str, pa.Table]:
        """The tables that come in a *night*, by name; the first brings all that was before too."""
        tables: dict[str, list[pa.Table]] = {}
        for port, rows in records(seed, night, is_first=night == self.first_night):
            tables.setdefault(port.replace("-", "_"), []).append(rows)
        return {name: pa.concat_tables(parts) for name, parts in tables.items() if name in KEPT}


def records(seed: int, night: date, *, is_first: bool) -> Iterator[tuple[str, pa.Table]]:
    """What each system sends, by the input port of the mesh that it sends it to as well."""
    begin = micros(datetime.combine(night, time(), UTC))
    day = (night - FIRST) // timedelta(days=1)
    for batch in Telephony().batches(seed, CALLS_PER_DAY, day * CALLS_PER_DAY):
        yield from batch.items()
    for system in (Crm(), Billing()):
        start = 0 if is_first else system.count_until(seed, begin - 24 * HOUR + CUT)
        count = system.count_until(seed, begin + CUT) - start
        for batch in system.batches(seed, count, start):
            yield from batch.items()
