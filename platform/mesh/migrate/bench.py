"""Everything that two answers are made of, side by side in one DuckDB in memory.

The ports' rows under the names of the SQL access point, what was sent to the warehouse in each
night (`sent`), its runs (`operation`), and what the causes prepare of them. Not here: comparing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from mesh.backbone.closing import Closing
from mesh.errors import MeshError
from mesh.migrate.causes import EVIDENCE, FOLDER, Cause
from mesh.product.duck import quoted

if TYPE_CHECKING:
    import pyarrow as pa


__all__ = ["Answer", "Bench", "Ports", "Run"]

Run = tuple[date, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows, and the offsets for which they are true."""

    rows: pa.Table
    offsets: Mapping[str, object]


class Ports(Protocol):
    """Where the mesh's ports are asked, as by `mesh sql`."""

    def ask(self, sql: str, day: date | None = None) -> Answer:
        """The answer to a query, which may have the parameter `$day`."""


class Bench(Closing):
    """The tables, and the causes whose evidence is there."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'; create schema sent; create schema operation")

    def close(self) -> None:
        """Forget all of it."""
        self.connection.close()

    def put_ports(self, ports: Ports, tables: Iterable[str]) -> None:
        """Fetch whole tables."""
        for name in tables:
            domain, schema, _ = map(quoted, name.split("."))
            self.connection.execute(f"attach if not exists ':memory:' as {domain}")
            self.connection.execute(f"create schema if not exists {domain}.{schema}")
            self._put(".".join(map(quoted, name.split("."))), ports.ask(f"from {name}").rows)

    def put_sent(self, folder: Path, arrived: Mapping[str, pa.Table]) -> None:
        """What came to the warehouse of *folder*, by name; empty tables of what never came."""
        for name, rows in arrived.items():
            self._put(f"sent.{quoted(name)}", rows)
        self.connection.execute((folder / "tables.sql").read_text("utf-8"))
        known = "select table_name from duckdb_tables() where schema_name = 'landing'"
        for (name,) in self.connection.execute(known).fetchall():
            # Of what no system sent yet.
            self.connection.execute(
                f"create table if not exists sent.{quoted(name)} as"
                f" select *, cast(null as date) as night from landing.{quoted(name)}"
            )

    def put_runs(self, runs: Sequence[Run]) -> None:
        """Note which jobs ran, in their order: night, place of the job in it, its name."""
        self.connection.execute("create table operation.runs (night date, place integer, job text)")
        if runs:
            self.connection.executemany("insert into operation.runs values (?, ?, ?)", runs)

    def prepare(self, folder: Path, causes: Sequence[Cause]) -> tuple[Cause, ...]:
        """Compute what the causes ask for; those of which there is evidence."""
        path = folder / FOLDER / EVIDENCE
        self.imitate((), causes)
        try:
            self.connection.execute(path.read_text("utf-8"))
            return tuple(each for each in causes if self._has_evidence(each))
        except (OSError, duckdb.Error) as error:
            raise MeshError(f"{path}: {str(error).splitlines()[0]}: mend it") from error

    def imitate(self, causes: Sequence[Cause], every: Sequence[Cause] = ()) -> None:
        """Tell SQL which of the causes are imitated."""
        for each in every:
            self.connection.execute(f"set variable {quoted(each.variable)} = {each in causes}")

    def rows(self, sql: str, day: date) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Columns and rows of a query on the bench."""
        try:
            found = self.connection.execute(sql, {"day": day})
            return [each[0] for each in found.description or ()], found.fetchall()
        except duckdb.Error as error:
            raise MeshError(f"a query on the bench failed: {str(error).splitlines()[0]}") from error

    def _put(self, name: str, rows: pa.Table) -> None:
        self.connection.register("_rows", rows)
        self.connection.execute(f"create table {name} as from _rows")
        self.connection.unregister("_rows")

    def _has_evidence(self, cause: Cause) -> bool:
        if not cause.evidence:
            return True
        return bool(self.connection.execute(cause.evidence).fetchall()[0][0])
