"""A batch port that is published by day, without a mesh: files land, a run publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from company.network import Network
from mesh.contract.project import load_project
from mesh.product.batch import Batch
from mesh.product.days import publish_days
from mesh.product.landing import LANDING
from mesh.product.published import read_published
from tests.repository import ROOT

__all__ = ["PER_DAY", "Port", "day"]

PER_DAY = 3_000
SEED = 7


def day(number: int) -> date:
    """The world's day with this number."""
    return date(2026, 1, 1 + number)


@dataclass
class Port:
    """The port `usage` in a folder; *said* is what its runs announced, by key, and how often."""

    folder: Path
    said: dict[tuple[date, int], Mapping[str, Any]] = field(default_factory=dict)

    def land(self, count: int) -> None:
        """Drop the files of the first *count* sessions of the world."""
        files: dict[str, list[pa.Table]] = {}
        for batch in Network(per_day=PER_DAY).batches(SEED, count):
            for name, table in batch.items():
                files.setdefault(name, []).append(table)
        for name, tables in files.items():
            self.drop(name, pa.concat_tables(tables))

    def drop(self, name: str, table: pa.Table) -> None:
        """Drop one file."""
        (self.folder / LANDING).mkdir(parents=True, exist_ok=True)
        pq.write_table(table, self.folder / LANDING / f"{name}.parquet")

    def landed(self) -> list[str]:
        """What no run has taken."""
        return sorted(each.name for each in (self.folder / LANDING).iterdir())

    def run(self, as_of: date = date(2026, 1, 31)) -> Mapping[str, Any]:
        """One run of the product; what came of it."""
        project = load_project(ROOT)
        batch = Batch(
            product=project.product("network-usage"),
            project=project,
            as_of=as_of,
            folder=lambda _: self.folder,
            announce=self.hear,
        )
        return publish_days(batch, "usage", announced_on="published-days")

    def hear(self, _: str, rows: pa.Table) -> None:
        """Remember what is announced, as a ledger does: a key that comes again says the same."""
        for row in rows.to_pylist():
            assert self.said.setdefault((row["day"], row["generation"]), row) == row

    def rows(self, of: date) -> pa.Table:
        """The rows of a day, as a reader has them."""
        return pq.read_table(self.folder / read_published(self.folder).days[of].file)

    def counts(self) -> dict[date, int]:
        """How many rows each day has for a reader, who checks that no file is half."""
        return {each: self.rows(each).num_rows for each in read_published(self.folder).days}
