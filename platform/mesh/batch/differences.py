"""Whether another engine makes the rows that a state port has, and which of them it does not.

What the engine makes is judged first as the product judges what its query says: a row that breaks
the contract, or shares its key with another, is not said. Not here: the size of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from mesh.batch.export import GROUP_ROWS, schema_for
from mesh.contract.model import Contract
from mesh.contract.types import duckdb_columns
from mesh.product.duck import quoted
from mesh.product.intake import Checker
from mesh.product.transform import CAUSE

__all__ = ["Compared", "compared"]

# So many rows of each kind are told.
TOLD = 20
MADE = """
create table wanted ({columns});
create table found ({columns});
"""
REPEATED = """
delete from found where ({keys}) in (select ({keys}) from found group by {keys} having count(*) > 1)
"""
DIFFERENCE = "from (select * from {a} except all select * from {b})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How many rows were found, and refused; how many only one side has, the first ones as JSON."""

    rows: int
    count_refused: int
    count_missing: int
    count_foreign: int
    missing: Sequence[str]
    foreign: Sequence[str]

    @property
    def is_equal(self) -> bool:
        """Whether both have the same rows."""
        return not (self.count_missing or self.count_foreign)


def compared(contract: Contract, wanted: Path, found: Path, folder: Path) -> Compared:
    """Compare the rows in the files of the folder *found* with those in the file *wanted*.

    What does not fit into memory goes to *folder*.
    """
    with duckdb.connect() as connection:
        spilled = str(folder).replace("'", "''")
        for setting in ("TimeZone = 'UTC'", "memory_limit = '400MB'", "threads = 1"):
            connection.execute(f"set {setting}")
        connection.execute(f"set temp_directory = '{spilled}'")
        columns = ", ".join(f"{quoted(name)} {type_}" for name, type_ in duckdb_columns(contract))
        connection.execute(MADE.format(columns=columns))
        put(connection, contract, "wanted", [wanted])
        made = put(connection, contract, "found", sorted(found.glob("*.parquet")), Checker())
        keys = ", ".join(quoted(each.name) for each in contract.key_fields)
        connection.execute(REPEATED.format(keys=keys))
        rows = count(connection, "from found")
        missing, foreign = (
            DIFFERENCE.format(a=a, b=b) for a, b in (("wanted", "found"), ("found", "wanted"))
        )
        return Compared(
            rows=rows,
            count_refused=made - rows,
            count_missing=count(connection, missing),
            count_foreign=count(connection, foreign),
            missing=first_of(connection, missing),
            foreign=first_of(connection, foreign),
        )


def put(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    table: str,
    files: Sequence[Path],
    checker: Checker | None = None,
) -> int:
    """Take the rows of *files* into *table*, those that keep the contract alone; how many came."""
    came = 0
    names = schema_for(contract).names
    for file in files:
        for batch in pq.ParquetFile(file).iter_batches(GROUP_ROWS, columns=names):
            rows = pa.Table.from_batches([batch])
            came += rows.num_rows
            if checker is not None:
                numbers = pa.array(range(rows.num_rows), pa.int64())
                good, _ = checker.check(rows.append_column(CAUSE, numbers), contract)
                rows = good.drop_columns([CAUSE])
            connection.register("_rows", rows)
            connection.execute(f"insert into {table} by name select * from _rows")
            connection.unregister("_rows")
    return came


def count(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """How many rows there are."""
    return int(connection.execute(f"select count(*) {source}").fetchall()[0][0])


def first_of(connection: duckdb.DuckDBPyConnection, source: str) -> Sequence[str]:
    """The first rows there are, as JSON."""
    sql = f"select to_json(d)::varchar from (select * {source} order by all limit {TOLD}) d"
    return [text for (text,) in connection.execute(sql).fetchall()]
