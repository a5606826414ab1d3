"""One input on both sides: what the warehouse's jobs make of it, and what the products' SQL does.

    sides = BothSides()
    sides.run({"call-center.finished-calls": rows}, table="integration.calls", ports=(…,))
    sides.rows("select call_id from warehouse.integration.calls")

Also makes random input. Nothing is started: jobs run on tables in memory, products' SQL on rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from company import plugin
from mesh.backbone.avro import Decoder, Encoder, project
from mesh.contract.model import Contract
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema, avro_schema
from mesh.migrate.flow import load_tables
from mesh.migrate.jobs import load_jobs
from mesh.migrate.plan import make_plan
from mesh.product.cases import run_event, run_state
from mesh.product.plan import Plan, plan_product
from tests.repository import ROOT

__all__ = ["PLAN", "PROJECT", "BothSides", "staged"]

PROJECT = load_project(ROOT)
FOLDER = plugin.warehouse.folder
JOBS = load_jobs(FOLDER)
PLAN = make_plan(JOBS, load_tables(FOLDER / "tables.sql"), PROJECT)
LANDING = {contract.id: table for table, contract in PLAN.landing if contract}
PRODUCTS = {name: plan_product(PROJECT, name) for name in PROJECT.products if name != "reports"}
FIRST_NIGHT = date(2026, 1, 1)
Given = Mapping[str, pa.Table]


class BothSides:
    """The warehouse and the ports of products in one DuckDB, each with what it made."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute((FOLDER / "tables.sql").read_text("utf-8"))
        self.connection.execute("create schema port")

    def run(self, given: Given, table: str, ports: Sequence[str], nights: int = 1) -> None:
        """Give the same rows to the jobs that *table* is made by, and to *ports*, each to the next.

        The warehouse gets them in so many nights, in their order.
        """
        self.empty()
        wanted = {each.job for each in PLAN.steps if table in downstream(each.table)}
        jobs = [each for each in JOBS if each.name in wanted]
        for number in range(nights):
            night = FIRST_NIGHT + timedelta(days=number)
            self.connection.execute("set variable night = cast(? as date)", [night])
            for contract_id, rows in given.items():
                start, end = (rows.num_rows * n // nights for n in (number, number + 1))
                self.land(LANDING[contract_id], rows.slice(start, end - start))
            for job in jobs:
                self.connection.execute(job.sql)
        made = dict(given)
        for port in ports:
            made[port] = self.made(PROJECT.contract(port), made)
            self.connection.register("_rows", made[port])
            name = PROJECT.contract(port).name
            self.connection.execute(f"create or replace table port.{name} as from _rows")

    def rows(self, sql: str) -> Counter[tuple[str, ...]]:
        """The rows of a query, in no order."""
        # As text, since DuckDB makes Python's instants by a library that we do not have.
        return Counter(self.connection.sql(f"select columns(*)::varchar from ({sql})").fetchall())

    def empty(self) -> None:
        """Forget what was run."""
        for (name,) in self.connection.sql(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name <> 'port'"
        ).fetchall():
            self.connection.execute(f"delete from {name}")

    def land(self, table: str, rows: pa.Table) -> None:
        """Put what a night brings in place of what the last one did."""
        columns = ", ".join(self.connection.table(table).columns)
        self.connection.execute(f"delete from {table}")
        self.connection.register("_rows", rows)
        self.connection.execute(f"insert into {table} select {columns} from _rows")

    def made(self, contract: Contract, given: Given) -> pa.Table:
        """What a port makes of rows; an input port, what it reads of them off the wire."""
        if contract.id in given:
            return off_the_wire(contract, given[contract.id])
        plan = PRODUCTS[contract.product]
        for event in plan.events:
            if event.contract.id == contract.id and event.source.contract.id in given:
                return run_event(self.connection, event, given[event.source.contract.id])[0]
        (state,) = (each for each in plan.states if each.contract.id == contract.id)
        tables = {
            name: family_rows(plan, given) if name == "statements" else rows_of(kept, given)
            for name, kept in plan.kept.items()
        }
        sources = {name: kept for name, kept in plan.kept.items() if name in state.query.inputs}
        return run_state(self.connection, state, {n: tables[n] for n in sources}, sources)


def downstream(table: str) -> set[str]:
    """The table and all that is made of it."""
    found = {table}
    for each in PLAN.steps:
        if found & set(each.statement.step.reads):
            found.add(each.table)
    return found


def rows_of(contract: Contract, given: Given) -> pa.Table:
    """What is given of an input, or nothing."""
    return given.get(contract.id, arrow_schema(contract).empty_table())


def family_rows(plan: Plan, given: Given) -> pa.Table:
    """The statements of a relation, each recorded a second after the one before."""
    (found,) = (
        (each.member, given[each.contract.id])
        for each in plan.inputs
        if each.member is not None and each.contract.id in given
    )
    member, rows = found
    count = rows.num_rows
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(count)]
    causes = pa.table(
        {
            "partition": pa.array([0] * count, pa.int32()),
            "offset": pa.array(range(count), pa.int64()),
            "time": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
    return member.take(rows, causes)[0].drop_columns(["_cause"])


def off_the_wire(contract: Contract, rows: pa.Table) -> pa.Table:
    """Rows encoded as the system sends them, and read as the product does."""
    schema = avro_schema(contract)
    values = Encoder(schema).encode(rows.cast(arrow_schema(contract)), schema_id=1)
    return project(Decoder(schema).decode([each[5:] for each in values]).table, contract)


BEGIN = datetime(2026, 1, 3, 22, 40, tzinfo=UTC)
# Some on each side of eleven and of midnight.
instants = st.integers(0, 120).map(lambda n: BEGIN + timedelta(minutes=n, microseconds=102_106))
FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "phone_number": st.sampled_from(["+12025550101", "+12025550102", "+12025550103"]),
    "contract_number": st.sampled_from(["C-000000018", "C-000000026", "C-000000034"]),
    "billing_account_number": st.sampled_from(["B-000000018", "B-000000026"]),
    "household_id": st.sampled_from(["H-00001", "H-00002"]),
    "payer_id": st.sampled_from(["P-000001", "P-000002"]),
    "link_id": st.sampled_from(["L-1", "L-2", "L-3"]),
    "agent_id": st.none() | st.just("A-0001"),
    "queue": st.sampled_from(["billing", "cancellation"]),
    "reason": st.none() | st.sampled_from(["", "none", "invoice"]),
    "kind": st.sampled_from(["mobile", "internet"]),
    "currency": st.just("USD"),
    "site": st.none(),
    "amount": st.integers(1, 10_000).map(lambda cents: Decimal(cents) / 100),
    "retracted": st.sampled_from([False, False, True]),
    "duration": st.integers(0, 7200),
}
OPEN = {"valid_from", "valid_to", "closed_at"}
SPANS = (("valid_from", "valid_to"), ("opened_at", "closed_at"), ("issued_at", "due_at"))


@st.composite
def staged(draw: st.DrawFn, contract: Contract) -> pa.Table:
    """Rows of a staging port as its system writes them: keys once, revisions in their order."""
    revisions: Counter[str] = Counter()
    rows = []
    for number in range(draw(st.integers(0, 12))):
        row = {each.name: value_of(draw, each.name, number) for each in contract.fields}
        if "revision" in row:
            revised = row.get("link_id") or row["contract_number"]
            row["revision"] = revisions[revised] = revisions[revised] + 1
        for start, end in SPANS:
            if row.get(start) and row.get(end) and row[end] < row[start]:
                row[start], row[end] = row[end], row[start]
        if "ended_at" in row:
            row["ended_at"] = row["started_at"] + timedelta(seconds=draw(FIELDS["duration"]))
        rows.append(row)
    return pa.Table.from_pylist(rows, arrow_schema(contract))


def value_of(draw: st.DrawFn, name: str, number: int) -> object:
    """A value of a field; of a key, another for each row."""
    if name in ("call_id", "change_id", "statement_id", "payment_id"):
        return str(UUID(int=number))
    if name == "invoice_id":
        return f"I-{number:09}"
    if name.endswith("_at") or name in OPEN:
        return draw(st.none() | instants if name in OPEN else instants)
    return draw(FIELDS[name]) if name in FIELDS else None
