"""One mart: what it is made of, and the file that has its rows with the offsets they go to.

What differs is replaced, by the comparison of state ports. Not here: when it is made anew and
who sees it (`marts`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.rules import Violation
from mesh.contract.types import duckdb_columns
from mesh.errors import StorageError
from mesh.product.duck import batch_error, connect, quoted, storage_error, transaction
from mesh.product.state_port import StatePort
from mesh.product.state_query import StateQuery
from mesh.sql.part import IS_THERE
from mesh.sql.promise import Promise
from mesh.sql.session import ROWS

__all__ = ["Mart", "MartFile"]

ARRIVED = "_arrived_rows"
KEYS = "keys"
MADE = """
create schema mesh;
create table mesh.mart (digest varchar, offsets varchar, rows bigint, refreshed_at varchar);
create table main.{rows} ({columns});
insert into mesh.mart values (?, '{{}}', 0, '');
"""
# The next offset of each partition, by topic.
Offsets = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mart:
    """A named query whose rows are kept, as *contract* promises them.

    It reads *inputs*, contracts by the name that its keys file knows them by, with the grants of
    *owner*; every *every_s* seconds, or as soon as there are new offsets. For some keys it is
    *part_sql*, over the rows that *needs_sql* gives where that knows which are enough.
    """

    contract: Contract
    owner: str
    sql: str
    promise: Promise
    inputs: Mapping[str, Contract]
    keys_sql: str = ""
    needs_sql: str = ""
    part_sql: str = ""
    every_s: float = 0.0

    @property
    def reads(self) -> frozenset[str]:
        """The ids of the contracts that it reads."""
        return frozenset(each.id for each in self.inputs.values())

    @property
    def digest(self) -> str:
        """By which rows of another query, or of other columns, are known."""
        made = (self.sql, self.keys_sql, self.needs_sql, sorted(self.reads))
        return hashlib.sha256(repr((made, self.promise)).encode()).hexdigest()


@dataclass(slots=True, kw_only=True)
class MartFile:
    """The rows of *mart* at *path*, open only while they are changed."""

    mart: Mart
    path: Path
    offsets: Offsets = field(default_factory=dict)
    rows: int = 0
    refreshed_at: str = ""

    def read(self) -> bool:
        """Take over what is there of this query; whether there was."""
        try:
            with closing(duckdb.connect(str(self.path), read_only=True)) as connection:
                found = connection.execute("select * from mesh.mart").fetchall()
        except duckdb.Error:
            return False
        if len(found) != 1 or found[0][0] != self.mart.digest or not found[0][3]:
            return False
        self.offsets, self.rows = json.loads(found[0][1]), found[0][2]
        self.refreshed_at = found[0][3]
        return True

    def take(self, arrived: pa.Table, offsets: Offsets, *, is_part: bool) -> bool:
        """Make the rows what *arrived*, all of them or a part; whether any was other.

        Raises `StorageError`; nothing of it is kept then.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._opened() as connection:
            port = StatePort(connection, self._contract(), self._query(is_part), all_of_it)
            connection.register(ARRIVED, arrived)
            try:
                with transaction(connection):
                    keys = {KEYS: arrived} if is_part else {}
                    count = sum(
                        each.rows.num_rows + each.gone.num_rows for each in port.changes(keys)
                    )
                    total = connection.execute(f"select count(*) from main.{ROWS}").fetchall()
                    values = [json.dumps(offsets), total[0][0], at]
                    connection.execute(
                        "update mesh.mart set offsets = ?, rows = ?, refreshed_at = ?", values
                    )
            except duckdb.Error as error:
                raise batch_error(self.path, error) from error
            finally:
                connection.unregister(ARRIVED)
        self.offsets, self.rows, self.refreshed_at = offsets, total[0][0], at
        return bool(count)

    def remove(self) -> None:
        """Have no rows, and no file."""
        for each in (self.path, self.path.with_name(f"{self.path.name}.wal")):
            each.unlink(missing_ok=True)
        self.offsets, self.rows, self.refreshed_at = {}, 0, ""

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The file, begun anew where it is not of this query; closed, all of it is in the file."""
        if not self.refreshed_at:
            self.remove()
            columns = ", ".join(f"{quoted(n)} {t}" for n, t in duckdb_columns(self.mart.contract))
            try:
                with closing(connect(self.path)) as connection, transaction(connection):
                    for each in MADE.format(rows=ROWS, columns=columns).split(";\n")[:-1]:
                        connection.execute(each, [self.mart.digest] if "?" in each else None)
            except duckdb.Error as error:
                raise storage_error(self.path, error) from error
        connection = connect(self.path)
        try:
            self._check(connection)
            yield connection
        finally:
            try:
                connection.close()
            except duckdb.Error as error:
                raise StorageError(f"{self.path} cannot be written: {error}") from error

    def _check(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Raise `StorageError` where the file is not as we left it: a part would not be enough."""
        try:
            found = connection.execute("select refreshed_at from mesh.mart").fetchall()
        except duckdb.Error as error:
            raise storage_error(self.path, error) from error
        if found != [(self.refreshed_at,)]:
            raise StorageError(f"{self.path} is not as it was left")

    def _contract(self) -> Contract:
        """The contract, by the name of the table."""
        return replace(self.mart.contract, name=ROWS)

    def _query(self, is_part: bool) -> StateQuery:
        """The query of what has arrived: Arrow's UUIDs are text."""
        contract = self.mart.contract
        fields = ", ".join(
            f"cast({quoted(n)} as {t}) as {quoted(n)}" for n, t in duckdb_columns(contract)
        )
        where = f" where {IS_THERE}" if is_part else ""
        keys = ", ".join(quoted(each.name) for each in contract.key_fields)
        return StateQuery(
            path=contract.path,
            sql=f"select {fields} from {ARRIVED}{where}",
            inputs=(),
            keys_sql=f"select {keys} from changed_{KEYS}" if is_part else None,
        )


def all_of_it(rows: pa.Table) -> tuple[pa.Table, list[Violation]]:
    """Rows, which the worker has judged already."""
    return rows, []
