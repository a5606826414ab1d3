"""What a row of a state port must keep before it is said: its contract, one row a key, its size."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.keys import keys
from mesh.contract.model import Contract
from mesh.contract.rules import Violation
from mesh.product.intake import Checker
from mesh.product.outbox import LARGEST_MESSAGE, Publisher
from mesh.product.rejection import of_size
from mesh.product.transform import CAUSE

__all__ = ["StateCheck"]


class StateCheck:
    """Judges the rows of one state port's query; a violation's `row` is its position."""

    def __init__(self, contract: Contract, checker: Checker, publisher: Publisher) -> None:
        self._contract = contract
        self._checker = checker
        self._publisher = publisher

    def __call__(self, rows: pa.Table) -> tuple[pa.Table, list[Violation]]:
        """The rows that may be said, and why the others may not."""
        numbers = pa.array(range(rows.num_rows), pa.int64())
        good, violations = self._checker.check(rows.append_column(CAUSE, numbers), self._contract)
        found = list(violations)
        for positions, why in ((self._repeated, of_repetition), (self._large, of_size)):
            bad = positions(good.drop_columns([CAUSE]))
            if pc.any(bad, min_count=0).as_py():
                found += why(good[CAUSE].filter(bad).to_pylist())
                good = good.filter(pc.invert(bad))
        return good.drop_columns([CAUSE]), found

    def _repeated(self, rows: pa.Table) -> pa.Array:
        """Which rows share their key with another: none of them is *the* row of the key."""
        found = keys(rows, self._contract)
        counts = found.value_counts()
        values = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
        return pc.is_in(found, values)

    def _large(self, rows: pa.Table) -> pa.Array:
        """Which rows Kafka would not take as a message."""
        # What is a bit in Arrow, a boolean that may be null, is two bytes in Avro.
        if rows.nbytes < LARGEST_MESSAGE // 16:
            return pa.repeat(False, rows.num_rows)
        values = self._publisher.values(rows)
        sizes = pc.add(pc.binary_length(keys(rows, self._contract)), pc.binary_length(values))
        return pc.greater(sizes, LARGEST_MESSAGE)


def of_repetition(positions: list[int]) -> list[Violation]:
    """Why rows are refused that share a key."""
    reason = "the query gives more than one row for its key"
    return [
        Violation(row=each, field=None, rule="one-row-a-key", reason=reason) for each in positions
    ]
