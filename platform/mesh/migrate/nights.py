"""Runs a warehouse's nights: one after the other, each all its jobs in their order.

    with Nights(path, warehouse, jobs, seed) as nights:
        for ran in nights.run(nights.next_night()):
            …

A job is one transaction, and is noted in it; where one fails the night stops, and the next run
goes on with that job. A night that is run again runs whole, as operators do it: whatever the jobs
make of their own rows of before is theirs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from mesh.backbone.closing import Closing
from mesh.errors import MeshError, StorageError, WrongUse
from mesh.migrate.jobs import Job, reports
from mesh.migrate.warehouse import Warehouse
from mesh.product.duck import quoted, storage_error, transaction

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Nights", "Ran"]

TABLES = """
create schema if not exists operation;
create table if not exists operation.runs (
    night date, place integer, job text, rows bigint, seconds double
);
create table if not exists operation.world (seed bigint);
create schema if not exists arrived;
"""

ANEW = "`mesh legacy run --nights N` makes it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One job that ran: how many rows it wrote."""

    night: date
    job: str
    rows: int
    seconds: float


class Nights(Closing):
    """The file of a warehouse at *path*, made when there is none."""

    def __init__(self, path: Path, warehouse: Warehouse, jobs: Sequence[Job], seed: int) -> None:
        self._path, self._warehouse, self._jobs, self._seed = path, warehouse, jobs, seed
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.connection = duckdb.connect(str(path))
            self.connection.execute("set TimeZone = 'UTC'")
            self.connection.execute(TABLES)
            self.connection.execute((warehouse.folder / "tables.sql").read_text("utf-8"))
        except duckdb.Error as error:
            raise storage_error(path, error, ANEW) from error
        self._check_seed()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def folder(self) -> Path:
        """The files of the warehouse."""
        return self._warehouse.folder

    @property
    def first_night(self) -> date:
        """The first night that there is."""
        return self._warehouse.first_night

    @property
    def reports(self) -> tuple[str, ...]:
        """The names of the reports."""
        return tuple(reports(self._jobs))

    def next_night(self) -> date:
        """The night after the last that ran whole."""
        last = self._one(
            "select max(night) from (select night from operation.runs group by night"
            f" having count(distinct job) >= {len(self._jobs)})"
        )
        return last + timedelta(days=1) if isinstance(last, date) else self._warehouse.first_night

    def run(self, night: date, *, again: bool = False) -> Iterator[Ran]:
        """Run the jobs of *night* that have not run yet; all of them, where it runs *again*.

        Raises `WrongUse` for a night whose turn it is not, `MeshError` where a job fails.
        """
        due = self.next_night()
        if again != (night < due) or (not again and night != due):
            raise WrongUse(
                f"{night} cannot run {'again' if again else 'now'}: the next night is {due}"
            )
        self._land(night)
        done = set() if again else self._done(night)
        for place, job in enumerate(self._jobs):
            if job.name not in done:
                yield self._run_job(night, place, job)

    def report(self, name: str, day: date, limit: int) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of a report of a day, in order. *name* is one of the jobs' reports."""
        found = self.connection.execute(
            f"select * from report.{quoted(name)} where day = ? order by all limit ?", [day, limit]
        )
        columns = [each[0] for each in found.description or ()]
        return columns, found.fetchall()

    def arrived(self) -> Mapping[str, pa.Table]:
        """What came in all nights by name, each record with its `night`.

        Raises `StorageError` where that was not kept yet when the nights ran.
        """
        known = "select table_name from duckdb_tables() where schema_name = 'arrived'"
        found = {
            name: self.connection.table(f"arrived.{quoted(name)}").to_arrow_table()
            for (name,) in self.connection.execute(known).fetchall()
        }
        if not found and self.runs():
            raise StorageError(f"{self._path} is of an earlier version: remove it, and {ANEW}")
        return found

    def runs(self) -> list[tuple[date, int, str]]:
        """The jobs that ran, in their order: the night, the job's place in it, its name."""
        return self.connection.execute(
            "select night, place, job from operation.runs order by rowid"
        ).fetchall()

    def _land(self, night: date) -> None:
        """Put what the night brings into the schema `landing`, in place of the last night's."""
        tables = self._warehouse.extracts(self._seed, night)
        with transaction(self.connection):
            self.connection.execute("set variable night = cast(? as date)", [night])
            known = "select table_name from duckdb_tables() where schema_name = 'landing'"
            for (name,) in self.connection.execute(known).fetchall():
                self.connection.execute(f"delete from landing.{quoted(name)}")
            for name, rows in tables.items():
                self.connection.register("_extract", rows)
                columns = ", ".join(map(quoted, self._columns(name)))
                self.connection.execute(
                    f"insert into landing.{quoted(name)} select {columns} from _extract"
                )
                self._note_arrival(name, night)
                self.connection.unregister("_extract")

    def _note_arrival(self, name: str, night: date) -> None:
        """Keep what came, as it came: whatever the jobs make of it, this is what was sent when."""
        table = f"arrived.{quoted(name)}"
        rows = f"select *, cast('{night}' as date) as night from _extract"
        self.connection.execute(f"create table if not exists {table} as {rows} limit 0")
        self.connection.execute(f"delete from {table} where night = ?", [night])
        self.connection.execute(f"insert into {table} {rows}")

    def _columns(self, name: str) -> list[str]:
        """What the warehouse keeps of an extract."""
        return self.connection.table(f"landing.{quoted(name)}").columns

    def _run_job(self, night: date, place: int, job: Job) -> Ran:
        started = time.monotonic()
        try:
            with transaction(self.connection):
                rows = sum(self._count(each) for each in statements(self.connection, job))
                ran = Ran(night=night, job=job.name, rows=rows, seconds=time.monotonic() - started)
                self.connection.execute(
                    "insert into operation.runs values (?, ?, ?, ?, ?)",
                    [night, place, job.name, rows, ran.seconds],
                )
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise MeshError(
                f"the job {job.name} failed in the night of {night}: {reason}; mend {job.path},"
                " and run it on"
            ) from error
        return ran

    def _count(self, statement: duckdb.Statement) -> int:
        """Run one statement; how many rows it wrote."""
        found = self.connection.execute(statement).fetchall()
        is_insert = statement.type == duckdb.StatementType.INSERT
        return int(found[0][0]) if found and is_insert else 0

    def _done(self, night: date) -> set[str]:
        rows = self.connection.execute("select job from operation.runs where night = ?", [night])
        return {str(name) for (name,) in rows.fetchall()}

    def _check_seed(self) -> None:
        """Note of which world the file is. Raises `WrongUse` where it is of another."""
        known = self._one("select max(seed) from operation.world")
        if known is None:
            self.connection.execute("insert into operation.world values (?)", [self._seed])
        elif known != self._seed:
            with suppress(duckdb.Error):
                self.connection.close()
            raise WrongUse(f"this warehouse is of the world {known}: say --seed {known}")

    def _one(self, sql: str) -> object:
        return self.connection.execute(sql).fetchall()[0][0]


def statements(connection: duckdb.DuckDBPyConnection, job: Job) -> list[duckdb.Statement]:
    """The statements of a job. Raises `duckdb.Error` where DuckDB cannot read them."""
    return list(connection.extract_statements(job.sql))
