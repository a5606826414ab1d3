"""What was delivered and breaks the contract, as a Parquet file: where it stood, why, and itself.

The file is there only if there is such a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.contract.rules import Violation
from mesh.product.duck import as_json

__all__ = ["Aside"]

SCHEMA = pa.schema(
    [
        ("delivery", pa.string()),
        ("row", pa.int64()),
        ("rule", pa.string()),
        ("field", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)


class Aside:
    """Writes what is set aside to *path*; *counts* by `rule/field`, as deliveries have it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self.counts: Counter[str] = Counter()

    def keep(
        self, delivery: str, begin: int, batch: pa.Table, broken: Mapping[int, Violation]
    ) -> None:
        """Keep the rows of *batch*, which begins at row *begin* of its delivery, that are broken.

        A key of *broken* is a row's number in the batch.
        """
        if not broken:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, SCHEMA, compression="zstd")
        numbers = sorted(broken)
        found = [broken[each] for each in numbers]
        self.counts.update("/".join(filter(None, (each.rule, each.field))) for each in found)
        columns = {
            "delivery": [delivery] * len(found),
            "row": [begin + each.row for each in found],
            "rule": [each.rule for each in found],
            "field": [each.field for each in found],
            "reason": [each.reason for each in found],
            "raw": as_json(batch.take(pa.array(numbers, pa.int64()))),
        }
        self._writer.write_table(pa.table(columns, schema=SCHEMA))

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()
