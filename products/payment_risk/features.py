"""What the model may know: each input cut off at the moment that is judged, then one SQL query.

    known = Known(inputs, as_of)
    examples = known.examples()               # instalments that ended, and how
    table = known.features(examples)          # as they were known when each fell due

Not here: which columns a recipe takes (`recipes`), and who belongs to which group (`fairness`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

__all__ = ["Known"]

# Since when each input is known: nobody knew a payment before it was made.
KNOWN_BY = {
    "invoices": "issued_at",
    "payments": "paid_at",
    "instalments": "decided_at",
    "handovers": "handed_over_at",
}
# A plan of which nothing was settled for so long has ended.
EXAMPLES = """
select
    instalment_id as moment,
    contract_number,
    payer_id,
    district,
    due_at as at,
    outcome = 'unpaid' as is_unpaid,
    called_in as is_called_in
from instalments
order by moment
"""
RUNNING = """
select
    contract_number as moment,
    contract_number,
    arg_max(payer_id, due_at) as payer_id,
    arg_max(district, due_at) as district,
    $as_of as at
from instalments
where decided_at > $as_of - interval 45 days
group by contract_number
order by moment
"""


class Known:
    """The *inputs* as they were known at *as_of*; nothing later is ever seen through it."""

    def __init__(self, inputs: Mapping[str, pa.Table], as_of: datetime) -> None:
        self.as_of = as_of
        self._query = (Path(__file__).parent / "features.sql").read_text()
        self._connection = duckdb.connect()
        self._connection.execute("set TimeZone = 'UTC'; set threads = 1")
        for name in KNOWN_BY:
            self._connection.register(f"all_{name}", inputs[name])
        self._cut(as_of)

    def close(self) -> None:
        """Let go of the inputs."""
        self._connection.close()

    def examples(self) -> pa.Table:
        """What there is to learn from: each instalment that ended, and how."""
        self._cut(self.as_of)
        return self._connection.execute(EXAMPLES).to_arrow_table()

    def running(self) -> pa.Table:
        """What is to be scored: each contract with a running plan, and who pays it."""
        self._cut(self.as_of)
        return self._connection.execute(RUNNING, {"as_of": self.as_of}).to_arrow_table()

    def features(self, moments: pa.Table) -> pa.Table:
        """The features of each moment, of what was known at it."""
        found = []
        for at in sorted(set(moments["at"].to_pylist())):
            self._cut(at)
            due = moments.filter(pa.compute.equal(moments["at"], pa.scalar(at, moments["at"].type)))
            found.append(self._ask(due))
        return pa.concat_tables(found).sort_by("moment")

    def leaks(self, moments: pa.Table, columns: Sequence[str]) -> Mapping[str, int]:
        """The *columns* that would be others if what came later were seen, in how many rows."""
        then = self.features(moments)
        self._cut(self.as_of)
        now = self._ask(moments)
        differing = {name: int(np.sum(then[name].to_numpy() != now[name].to_numpy()))
                     for name in columns}  # fmt: skip
        return {name: count for name, count in differing.items() if count}

    def _ask(self, moments: pa.Table) -> pa.Table:
        self._connection.register("moments", moments)
        return self._connection.execute(self._query).to_arrow_table()

    def _cut(self, at: datetime) -> None:
        """Let the query see what was known at *at* alone."""
        for name, known_by in KNOWN_BY.items():
            self._connection.execute(
                f"create or replace view {name} as select * from all_{name}"
                f" where {known_by} <= timestamptz '{min(at, self.as_of).isoformat()}'"
            )
