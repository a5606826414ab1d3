"""What a batch changes in a state port: the rows that are new or other, and the keys that go.

    port = StatePort(connection, contract, query, check)
    change = port.change({"calls": changed_calls})     # or port.recompute()

Changed → a row, gone → a tombstone, equal → nothing. With a keys file only the touched keys are
recomputed; without one the whole query is, which is slower and never wrong. Works in the
caller's transaction, on input tables that already hold the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from mesh.contract.model import Contract
from mesh.contract.rules import Violation
from mesh.contract.types import duckdb_columns
from mesh.product.duck import quoted
from mesh.product.state_query import CHANGED, StateQuery

__all__ = ["Change", "StatePort"]

# So many rows are compared at once, about; what one Kafka transaction publishes.
PIECE = 10_000
Check = Callable[[pa.Table], tuple[pa.Table, list[Violation]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """*rows* have the contract's fields, *gone* its key; *refused* are rows that break it."""

    rows: pa.Table
    gone: pa.Table
    refused: pa.Table
    violations: list[Violation]


class StatePort:
    """One state port over the input tables in schema `input`; its own table is in `main`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        query: StateQuery,
        check: Check,
    ) -> None:
        self._connection = connection
        self._query = query
        self._check = check
        self._table = f"main.{quoted(contract.name)}"
        self._types = dict(duckdb_columns(contract))
        self._keys = [each.name for each in contract.key_fields]
        self._database = connection.execute("select current_database()").fetchall()[0][0]

    def changes(self, changed: Mapping[str, pa.Table]) -> Iterator[Change]:
        """What changes by a batch; *changed* has old and new images of every input's rows."""
        if self._query.keys_sql is None:
            yield from self.recompute()
        else:
            yield self.change(changed)

    def change(self, changed: Mapping[str, pa.Table]) -> Change:
        """What changes by a batch, of a port that has a keys file."""
        with self._touched(changed):
            old = f"(select o.* from {self._table} o semi join _touched using ({self._key_list()}))"
            return self._compare(self._fresh(), old)

    def recompute(self) -> Iterator[Change]:
        """What is different between the table and the whole query.

        By pieces, in each of which some keys are whole, since all of it may be more than fits.
        """
        names = ", ".join(quoted(each) for each in self._types)
        self._connection.execute(
            f"create or replace temp table _whole as select {names} from ({self._query.sql}\n) q"
        )
        sizes = f"(select count(*) from _whole), (select count(*) from {self._table})"
        most = self._connection.execute(f"select greatest({sizes})").fetchall()[0][0]
        keys = ", ".join(f"try_cast({quoted(k)} as {self._types[k]})" for k in self._keys)
        count = most // PIECE + 1
        for number in range(count):
            is_in = f"where hash({keys}) % {count} = {number}"
            fresh = self._connection.sql(f"select * from _whole {is_in}").to_arrow_table()
            yield self._compare(fresh, f"(select * from {self._table} {is_in})")
        self._connection.execute("drop table temp._whole")

    @contextmanager
    def _touched(self, changed: Mapping[str, pa.Table]) -> Iterator[None]:
        """The temporary table `_touched` of the keys that *changed* may touch."""
        names = self._key_list()
        # Arrow's images have no UUIDs, so a keys file may give their text.
        casts = ", ".join(
            f"cast({quoted(each)} as {self._types[each]}) as {quoted(each)}" for each in self._keys
        )
        for name, rows in changed.items():
            self._connection.register(CHANGED + name, rows)
        try:
            self._connection.execute(
                f"create or replace temp table _touched as select distinct {casts}"
                f" from ({self._query.keys_sql}\n) k({names})"
                f" where {' and '.join(f'{quoted(each)} is not null' for each in self._keys)}"
            )
        finally:
            for name in changed:
                self._connection.unregister(CHANGED + name)
        yield

    def _compare(self, fresh: pa.Table, old: str) -> Change:
        """Compare rows of the query with those of *old*, SQL, and bring the table up."""
        rows, violations = self._check(fresh)
        with self._as_table("_fresh", rows):
            new = self._connection.sql(self._new_rows(old)).to_arrow_table()
            gone = self._connection.sql(
                f"select {self._key_list()} from {old} o anti join _fresh"
                f" using ({self._key_list()}) order by all"
            ).to_arrow_table()
        self._bring_up(new, gone)
        return Change(rows=new, gone=gone, refused=fresh, violations=violations)

    def _fresh(self) -> pa.Table:
        """The query's rows now, for the touched keys."""
        # By name: `*` of an input has the columns of its origin along.
        names = ", ".join(quoted(each) for each in self._types)
        sql = f"select {names} from ({self._query.sql}\n) q"
        sql += f" semi join _touched using ({self._key_list()})"
        narrowed = self._narrowed()
        if narrowed is None:
            return self._connection.sql(sql).to_arrow_table()
        # A temporary view hides the table of the same name; DuckDB does not push the keys
        # through joins and groups by itself.
        name, rows = narrowed
        self._connection.execute(f"create or replace temp view {quoted(name)} as {rows}")
        try:
            return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.execute(f"drop view temp.{quoted(name)}")

    def _narrowed(self) -> tuple[str, str] | None:
        """The input of which fewer rows are enough, and SQL that gives them."""
        if self._query.needs is not None:
            self._connection.execute(
                f"create or replace temp table _needed as {self._query.needs.sql}"
            )
            return self._query.needs.input, "select * from _needed"
        name = self._query.key_input
        if name is None:
            return None
        table = f'{quoted(self._database)}."input".{quoted(name)}'
        keys = self._key_list()
        return name, f"select i.* from {table} i semi join _touched using ({keys})"

    def _new_rows(self, old: str) -> str:
        """SQL: the fresh rows that are not in *old* as they are."""
        names = [quoted(each) for each in self._types]
        same_key = " and ".join(f"f.{quoted(each)} = o.{quoted(each)}" for each in self._keys)
        # Every key field is required, so a null there means that there is no old row.
        is_new = f"o.{quoted(self._keys[0])} is null"
        differs = " or ".join(f"f.{each} is distinct from o.{each}" for each in names)
        fields = ", ".join(f"f.{each}" for each in names)
        order = ", ".join(f"f.{quoted(each)}" for each in self._keys)
        return (
            f"select {fields} from _fresh f left join {old} o on {same_key}"
            f" where {is_new} or {differs} order by {order}"
        )

    def _bring_up(self, rows: pa.Table, gone: pa.Table) -> None:
        """Make the table what the query says."""
        keys = pa.concat_tables([rows.select(self._keys), gone]) if rows.num_rows else gone
        if not keys.num_rows:
            return
        same = " and ".join(f"t.{quoted(each)} = k.{quoted(each)}" for each in self._keys)
        with self._as_table("_fresh_keys", keys), self._as_table("_fresh_rows", rows):
            self._connection.execute(
                f"delete from {self._table} t using _fresh_keys k where {same}"
            )
            self._connection.execute(f"insert into {self._table} by name select * from _fresh_rows")

    @contextmanager
    def _as_table(self, name: str, rows: pa.Table) -> Iterator[None]:
        """*rows* as a temporary table in the contract's types; Arrow knows no UUID."""
        casts = ", ".join(
            f"cast({quoted(each)} as {self._types[each]}) as {quoted(each)}"
            for each in rows.column_names
            if each in self._types
        )
        self._connection.register("_arrow", rows)
        try:
            self._connection.execute(
                f"create or replace temp table {name} as select {casts} from _arrow"
            )
        finally:
            self._connection.unregister("_arrow")
        yield
        self._connection.execute(f"drop table temp.{name}")

    def _key_list(self) -> str:
        return ", ".join(quoted(each) for each in self._keys)
