"""The product reports without a mesh: its runs in a folder, and a reader who looks all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mesh.contract.model import Contract
from mesh.contract.project import Project, load_project
from mesh.migrate.facade import lay
from mesh.product.batch import Batch
from mesh.product.days import publish_days
from mesh.product.published import read_published
from products.reports.batch import run
from tests.repository import ROOT

__all__ = ["DAYS", "REPORT", "Facade", "contract", "looking", "rows_of"]

REPORT = "calls-per-contract"
DAYS = [date(2026, 1, 1) + timedelta(days=each) for each in range(5)]
# Of a day; the two sources have other rows, and other numbers in those that both have.
ROWS = {"warehouse": range(400), "mesh": range(100, 450)}
CALLS = {"warehouse": 1, "mesh": 2}


def rows_of(source: str, day: date) -> pa.Table:
    """What a source has of a day."""
    return pa.table(
        {
            "day": pa.array([day] * len(ROWS[source]), pa.date32()),
            "contract_number": [f"C-{each:09}" for each in ROWS[source]],
            "reason": ["none"] * len(ROWS[source]),
            "calls": [CALLS[source]] * len(ROWS[source]),
        }
    )


@cache
def project() -> Project:
    """The project as it ships."""
    return load_project(ROOT)


def contract() -> Contract:
    """The report's."""
    return project().contract(f"reports.{REPORT}")


@dataclass
class Facade:
    """The report in *root*; *said* is what its runs announced, by key."""

    root: Path
    said: dict[tuple[str, date, int], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the report is."""
        return self.root / REPORT

    @property
    def batch(self) -> Batch:
        """What a run is given."""
        return Batch(
            product=project().product("reports"),
            project=project(),
            as_of=DAYS[-1],
            folder=lambda port: self.root / port,
            announce=self.hear,
            options={"report": REPORT},
        )

    def lay(self, source: str) -> None:
        """Lay all days of a source."""
        lay(self.folder, contract(), source, ((day, rows_of(source, day)) for day in DAYS))

    def switch(self, source: str) -> None:
        """Have the report come from a source."""
        self.lay(source)
        run(self.batch)

    def switch_day_by_day(self, source: str) -> None:
        """As `switch`, but as ports are published whose days have nothing to do with each other."""
        self.lay(source)
        publish_days(self.batch, REPORT, announced_on="published-days")

    def hear(self, _: str, rows: pa.Table) -> None:
        """Remember what is announced, as a ledger does: a key that comes again says the same."""
        for row in rows.to_pylist():
            assert self.said.setdefault((row["port"], row["day"], row["generation"]), row) == row

    def read(self) -> pa.Table:
        """The whole report by the list of its files, as a reader has it."""
        days = read_published(self.folder).days.values()
        return pa.concat_tables([pq.read_table(self.folder / each.file) for each in days])


@contextmanager
def looking(look: Callable[[], object], seen: list[object]) -> Iterator[None]:
    """Look again and again for the time of a block, and once more after it."""
    stop, begun = threading.Event(), threading.Event()

    def go() -> None:
        while not stop.is_set():
            seen.append(look())
            begun.set()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        stop.set()
        thread.join()
    seen.append(look())
