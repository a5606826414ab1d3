"""A file in DuckDB, with its columns and what is to be said of its reading.

Not here: how it comes there (`dump_stage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from mesh.errors import MeshError, NoRoom, WrongUse
from mesh.product.duck import is_full
from mesh.product.dump_header import names_for
from mesh.product.dump_text import Kind

__all__ = ["Column", "Options", "Source"]

MAX_COLUMNS = 1_000
MEMORY_MB, MEMORY_A_COLUMN_MB = 1_000, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a person wants a file to be read; None and empty leave it to us."""

    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    day_first: bool | None = None
    time_zone: str = "UTC"
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the staged table, called *at* there, *name* by us and *header* by the file.

    *is_text* where its values are still to be understood.
    """

    at: str
    name: str
    header: str
    sql_type: str = "VARCHAR"
    is_text: bool = True


@dataclass(slots=True, kw_only=True)
class Source:
    """A file in DuckDB: the table `staged` (with `_row`, from 1) and the table `rejected`."""

    connection: duckdb.DuckDBPyConnection
    path: Path
    folder: Path
    options: Options
    kind: Kind = "csv"
    columns: tuple[Column, ...] = ()
    rows: int = 0
    reading: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def run(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Rows of a query on the file; DuckDB's complaint of it as ours."""
        try:
            return list(self.connection.execute(sql, list(values)).fetchall())
        except duckdb.Error as error:
            raise self.complaint(error) from error

    def complaint(self, error: duckdb.Error) -> MeshError:
        """What DuckDB complains of, in our words."""
        if is_full(error):
            return NoRoom(
                f"there is no room for {self.path}: the disk of {self.folder.parent} is full,"
                " or a limit on files is reached; make room, and dump it again"
            )
        text = str(error).strip().splitlines()[0]
        return WrongUse(f"{self.path} cannot be read: {text[:300]}")

    def reject(self, line: int | None, rule: str, reason: str, raw: str) -> None:
        """Set aside what is no row."""
        values = [line, None, rule, None, reason, raw]
        self.run("insert into rejected values (?, ?, ?, ?, ?, ?)", values)

    def name_columns(self, header: Sequence[str]) -> None:
        """Give each column its name."""
        if len(header) > MAX_COLUMNS:
            raise WrongUse(f"{self.path} has {len(header)} columns, {MAX_COLUMNS} are possible")
        # DuckDB holds a block for each column of each table that it writes, used or not.
        self.run(f"set memory_limit = '{MEMORY_MB + MEMORY_A_COLUMN_MB * len(header)}MB'")
        names, notes = names_for(header)
        self.notes += notes
        self.columns = tuple(
            Column(at=f"_c{number}", name=name, header=text.strip())
            for number, (name, text) in enumerate(zip(names, header, strict=True))
        )
