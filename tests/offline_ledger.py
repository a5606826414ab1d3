"""The parity ledger over the simulated company without a mesh: its ports are tables of DuckDB."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from company import plugin
from company.warehouse.extracts import KEPT
from mesh.migrate.bench import Answer, Bench
from mesh.migrate.causes import Cause
from mesh.migrate.compare import ALL, bench_of, reports_of
from mesh.migrate.jobs import Job, load_jobs, reports
from mesh.migrate.ledger import Ledger, Page, Report
from mesh.migrate.nights import Nights
from mesh.query.files import QUERIES, load_queries
from tests.repository import ROOT
from tests.simulated import attach_ports, until_night, written

__all__ = ["DAYS", "JOBS", "REPORTS", "DuckPorts", "World", "found", "rows_of"]

SEED = 7
# From a Thursday on; invoices are sent on the first of the days, a Sunday.
FIRST = date(2026, 1, 29)
DAYS = (date(2026, 2, 1), date(2026, 2, 2))
JOBS = load_jobs(plugin.warehouse.folder)
REPORTS = reports_of(load_queries(ROOT / QUERIES), tuple(reports(JOBS)))


class DuckPorts:
    """The SQL access point's tables in a DuckDB."""

    def __init__(self, records: Mapping[str, pa.Table]) -> None:
        self.connection = duckdb.connect()
        attach_ports(self.connection, records)

    def ask(self, sql: str, day: date | None = None) -> Answer:
        found = self.connection.execute(sql, {} if day is None else {"day": day})
        return Answer(rows=found.to_arrow_table(), offsets={})


class Kept:
    """The company's warehouse, whose nights are cut from one piece: the same, and in less time."""

    folder = plugin.warehouse.folder

    def __init__(self, records: Mapping[str, pa.Table], first_night: date) -> None:
        self.first_night = first_night
        self.records = records
        self._records = {each: records[each] for each in KEPT if each in records}
        self._nights = {name: nights_of(rows) for name, rows in self._records.items()}

    def extracts(self, seed: int, night: date) -> Mapping[str, pa.Table]:
        found = {}
        for name, rows in self._records.items():
            # Of calls there are none before.
            is_first = night == self.first_night and name != "finished_calls"
            compare = pc.less_equal if is_first else pc.equal
            chosen = rows.filter(compare(self._nights[name], pa.scalar(night, pa.date32())))
            if chosen.num_rows:
                found[name] = chosen
        return found


def nights_of(rows: pa.Table) -> pa.ChunkedArray:
    """In which night each record comes: two hours after midnight are of the day before."""
    if "started_at" in rows.column_names:
        return rows["started_at"].cast(pa.date32())
    names = ("written_at", "issued_at", "paid_at")
    (name,) = (each for each in names if each in rows.column_names)
    two_hours = pa.scalar(timedelta(hours=2), pa.duration("us"))
    return pc.subtract(rows[name], two_hours).cast(pa.date32())


class Remembering(Ledger):
    """A ledger that asks the bench once: its answers do not depend on the warehouse's rows."""

    def __init__(self, bench: Bench, causes: Sequence[Cause], known: dict[Any, Any]) -> None:
        super().__init__(bench, causes)
        self._known = known

    def _rows(self, report: Report, causes: tuple[Cause, ...], day: date) -> Any:
        asked = (report.name, tuple(each.name for each in causes), day)
        if asked not in self._known:
            self._known[asked] = super()._rows(report, causes, day)
        return self._known[asked]


class World:
    """A warehouse in *folder* up to the night before `DAYS`, and the mesh at their end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = written(SEED, FIRST, until_night(DAYS[-1]))
        self.warehouse, self.ports = Kept(self.records, FIRST), DuckPorts(self.records)
        with Nights(folder / "before.duckdb", self.warehouse, JOBS, SEED) as nights:
            while nights.next_night() < DAYS[0]:
                list(nights.run(nights.next_night()))
        self._known: dict[Any, Any] = {}
        with self.ran() as nights:
            self._bench, self.causes = bench_of(nights, self.ports, REPORTS)
            self.rows = rows_of(nights)

    @contextmanager
    def ran(
        self, jobs: Sequence[Job] = JOBS, between: Callable[[Nights], object] | None = None
    ) -> Iterator[Nights]:
        """The warehouse after two more nights with these jobs, and something done between them."""
        path = self.folder / "tried.duckdb"
        shutil.copy(self.folder / "before.duckdb", path)
        try:
            with Nights(path, self.warehouse, jobs, SEED) as nights:
                # Nobody opens it again.
                nights.connection.execute("pragma disable_checkpoint_on_shutdown")
                for number, day in enumerate(DAYS):
                    if number and between is not None:
                        between(nights)
                    list(nights.run(day))
                yield nights
        finally:
            # The rows are in the file beside it.
            for each in self.folder.glob("tried.*"):
                each.unlink()

    def found(self, nights: Nights, *without: str) -> Counter[str]:
        """How many rows each set of causes explains, some rules left out, and how many none."""
        self._bench.imitate((), self.causes)
        causes = [each for each in self.causes if each.name not in without]
        return found(Remembering(self._bench, causes, self._known), nights, self.ports)

    def page(self, nights: Nights, name: str, day: date) -> Page:
        """A report of a day, compared."""
        return self.compared(name, day, nights.report(name, day, ALL)[1])

    def before(self, name: str, day: date) -> Page:
        """The same of the warehouse as it is."""
        return self.compared(name, day, self.rows[name, day])

    def compared(self, name: str, day: date, rows: Sequence[Any]) -> Page:
        """Some rows as those of a report, compared."""
        (report,) = (each for each in REPORTS if each.name == name)
        ledger = Remembering(self._bench, self.causes, self._known)
        return ledger.page(report, day, rows, self.ports.ask(report.sql, day))


def found(ledger: Ledger, nights: Nights, ports: DuckPorts) -> Counter[str]:
    """How many rows each set of causes explains, and how many are not explained."""
    return Counter(
        line.cause
        for report in REPORTS
        for day in DAYS
        for line in page_of(ledger, nights, ports, report, day).lines
    )


def page_of(ledger: Ledger, nights: Nights, ports: DuckPorts, report: Report, day: date) -> Page:
    """One report of a warehouse, compared."""
    _, rows = nights.report(report.name, day, ALL)
    return ledger.page(report, day, rows, ports.ask(report.sql, day))


def rows_of(nights: Nights) -> dict[tuple[str, date], list[Any]]:
    """All rows of the reports of both days."""
    return {
        (name, day): nights.report(name, day, ALL)[1] for name in nights.reports for day in DAYS
    }
