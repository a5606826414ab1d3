"""Makes the rows of one day of all that was delivered of it: what keeps the contract, and the rest.

A day follows from its deliveries alone, so that a run may be killed and repeated. Memory is
bounded: rows pass by in batches, and what must be compared as a whole spills to disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mesh.contract.model import Contract
from mesh.contract.rules import Violation, check, fit
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.aside import Aside
from mesh.product.duck import quoted
from mesh.product.dump_sql import literal

__all__ = ["Made", "Source", "make_day"]

BATCH_ROWS = 100_000
# Of a delivery that is one large piece, so much of each column is read at a time.
BUFFER_BYTES = 1 << 20
MEMORY = "400MB"
PLACE = "_place"
# Keys are compared so many rows at a time, by parts of their hash.
PART_ROWS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A delivery of the day, by name."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How many rows a day has, and how many were set aside, by `rule/field`."""

    rows: int
    quarantined: Mapping[str, int]


def make_day(
    contract: Contract, day: date, sources: Sequence[Source], rows: Path, quarantine: Path
) -> Made:
    """Write the rows of *day* to *rows*, and to *quarantine* what is set aside, if anything is.

    What is only needed meanwhile lies beside them.
    """
    with ExitStack() as stack:
        making = Making(
            contract=contract,
            day=day,
            stage=rows.with_name("stage.parquet"),
            connection=stack.enter_context(closing(working(rows.parent))),
            aside=stack.enter_context(closing(Aside(quarantine))),
        )
        making.write_stage(sources)
        making.drop_doubles()
        making.write_rows(rows)
    return Made(rows=pq.read_metadata(rows).num_rows, quarantined=making.aside.counts)


def working(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills into *folder*."""
    connection = duckdb.connect()
    for setting in (
        "TimeZone = 'UTC'",
        f"memory_limit = '{MEMORY}'",
        f"temp_directory = {literal(str(folder))}",
        "autoinstall_known_extensions = false",
        # Two would write rows in another order each time, and another digest.
        "threads = 1",
    ):
        connection.execute(f"set {setting}")
    return connection


@dataclass(slots=True, kw_only=True)
class Making:
    """A day in the making. *starts* has the place at which each delivery begins."""

    contract: Contract
    day: date
    stage: Path
    connection: duckdb.DuckDBPyConnection
    aside: Aside
    starts: list[tuple[int, str]] = field(default_factory=list)

    def write_stage(self, sources: Sequence[Source]) -> None:
        """Write what keeps the contract, each row with its place among all that was delivered."""
        schema = arrow_schema(self.contract).append(pa.field(PLACE, pa.int64()))
        place = 0
        with pq.ParquetWriter(self.stage, schema, compression="lz4") as writer:
            for source in sources:
                self.starts.append((place, source.name))
                for batch in batches_of(source.path, self.contract):
                    good, broken = self.judge(batch)
                    self.aside.keep(source.name, place - self.starts[-1][0], batch, broken)
                    places = pc.add(good["_row"], place)
                    good = good.drop_columns(["_row"]).append_column(PLACE, places)
                    writer.write_table(good.cast(schema))
                    place += batch.num_rows
        path = literal(str(self.stage))
        self.connection.execute(f"create view staged as from read_parquet({path})")

    def judge(self, batch: pa.Table) -> tuple[pa.Table, Mapping[int, Violation]]:
        """The rows that keep the contract, numbered by `_row`; of each other one the reason."""
        fitted = fit(batch, self.contract)
        table = fitted.table.append_column("_row", pa.array(fitted.good, pa.int64()))
        self.connection.register("arrived", table)
        try:
            broken = [*fitted.violations, *check(self.connection, "arrived", self.contract)]
        finally:
            self.connection.unregister("arrived")
        name, reason = str(self.contract.day_field), f"it was delivered for {self.day}"
        other = pc.not_equal(table[name], pa.scalar(self.day, pa.date32()))
        broken += [
            Violation(row=row, field=name, rule="day", reason=reason)
            for row in table["_row"].filter(other).to_pylist()
        ]
        first: dict[int, Violation] = {}
        for each in broken:
            first.setdefault(each.row, each)
        is_bad = pc.is_in(table["_row"], pa.array(list(first), pa.int64()))
        return table.filter(pc.invert(is_bad)), first

    def drop_doubles(self) -> None:
        """Fill `doubled` with the places of rows whose key stands before; set those aside."""
        keys = ", ".join(quoted(each.name) for each in self.contract.key_fields)
        self.connection.execute("create table twice (hash ubigint)")
        parts = 1 + pq.read_metadata(self.stage).num_rows // PART_ROWS
        for part in range(parts):
            # Equal hashes are a suspicion only: the keys themselves are compared below.
            self.connection.execute(
                f"insert into twice select h from (select hash({keys}) as h from staged)"
                f" where h % {parts} = {part} group by h having count(*) > 1"
            )
        self.connection.execute(
            f"create table doubled as select {PLACE} from staged"
            f" where hash({keys}) in (from twice)"
            f" qualify row_number() over (partition by {keys} order by {PLACE}) > 1"
        )
        reader = self.connection.execute(
            f"select * from staged where {PLACE} in (from doubled) order by {PLACE}"
        ).to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            self.set_doubles_aside(pa.Table.from_batches([batch]))

    def set_doubles_aside(self, rows: pa.Table) -> None:
        """Rows whose key an earlier one has, in the order of their places."""
        name = self.contract.key_fields[-1].name
        for begin, delivery in reversed(self.starts):
            is_its = pc.greater_equal(rows[PLACE], begin)
            its, rows = rows.filter(is_its), rows.filter(pc.invert(is_its))
            reason = "an earlier row of the day has this key"
            broken = {
                number: Violation(row=place - begin, field=name, rule="key", reason=reason)
                for number, place in enumerate(its[PLACE].to_pylist())
            }
            self.aside.keep(delivery, 0, its.drop_columns([PLACE]), broken)

    def write_rows(self, path: Path) -> None:
        """Write the rows of the day, in the order in which they were delivered."""
        columns = ", ".join(
            f"cast({quoted(name)} as {type_}) as {quoted(name)}"
            for name, type_ in duckdb_columns(self.contract)
        )
        said = {
            "mesh.contract": self.contract.id,
            "mesh.version": self.contract.version,
            "mesh.day": str(self.day),
        }
        kept = ", ".join(f"{literal(name)}: {literal(value)}" for name, value in said.items())
        self.connection.execute(
            f"copy (select {columns} from staged where {PLACE} not in (from doubled))"
            f" to {literal(str(path))} (format parquet, compression zstd, kv_metadata {{{kept}}})"
        )


def batches_of(path: Path, contract: Contract) -> Iterator[pa.Table]:
    """The rows of a delivery, some at a time."""
    with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=[each.name for each in contract.fields]):
            yield pa.Table.from_batches([batch])
