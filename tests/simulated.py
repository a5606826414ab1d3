"""The public ports of a mesh that was fed the simulated company, without a mesh.

The rows are those of the products' own SQL over what the operational systems write. Not here: the
runtime, which gives the same (`test_every_state_port`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import duckdb
import pyarrow as pa

from company.billing_system import Billing
from company.calls import CALLS_PER_DAY
from company.clock import micros
from company.crm_system import Crm
from company.telephony import Telephony
from mesh.contract.project import load_project
from mesh.contract.types import duckdb_columns
from tests.repository import ROOT

__all__ = ["attach_ports", "until_night", "written"]

FIRST = date(2026, 1, 1)
RELATIONS = {
    "phone-number-contract": ("contracts", "number_changes", "many-to-one"),
    "contract-household": ("contracts", "household_changes", "many-to-one"),
    "billing-account-payer": ("billing", "payer_changes", "many-to-one"),
}
PORTS = {
    "customer_service.call_center.calls": "call_center",
    "finance.billing.invoices": "billing",
    "finance.billing.payments": "billing",
    "sales.contracts.contracts": "contracts",
}


def written(seed: int, since: date, until: datetime) -> dict[str, pa.Table]:
    """What all systems have written by *until*, by input port; calls of whole days *since* one."""
    first = (since - FIRST).days * CALLS_PER_DAY
    calls = (until.date() - FIRST).days * CALLS_PER_DAY - first
    found: dict[str, list[pa.Table]] = {}
    for system, count, start in (
        (Telephony(), calls, first),
        (Crm(), Crm().count_until(seed, micros(until)), 0),
        (Billing(), Billing().count_until(seed, micros(until)), 0),
    ):
        for batch in system.batches(seed, count, start):
            for port, rows in batch.items():
                found.setdefault(port.replace("-", "_"), []).append(rows)
    return {name: pa.concat_tables(parts) for name, parts in found.items()}


def until_night(night: date) -> datetime:
    """The instant up to which the warehouse knows what is written, after a night."""
    return datetime.combine(night + timedelta(days=1), time(2), UTC)


def attach_ports(connection: duckdb.DuckDBPyConnection, records: Mapping[str, pa.Table]) -> None:
    """Make the ports' tables of records that were written, as the SQL access point names them."""
    connection.execute("set TimeZone = 'UTC'; create schema input")
    for name, rows in records.items():
        connection.register("_rows", rows)
        connection.execute(f"create table input.{name} as from _rows")
        connection.execute(f"create view new_{name} as select rowid as _cause, * from input.{name}")
        connection.unregister("_rows")
    commands = load_project(ROOT).contract("contracts.commands")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in duckdb_columns(commands))
    connection.execute(f"create table input.commands ({columns})")
    connection.execute("create view new_commands as select rowid as _cause, * from input.commands")
    connection.execute("set search_path = 'input,main'")
    for name, folder in PORTS.items():
        keep(connection, name, sql_of(folder, name.rpartition(".")[2]))
    connection.execute(
        "create table input.statements as " + " union all ".join(map(told, RELATIONS))
    )
    keep(connection, "identity.key_ring.links", sql_of("key_ring", "links"))
    connection.execute("set search_path = 'main'")


def keep(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> None:
    """A port's table in a database of its domain."""
    domain, schema, _ = name.split(".")
    connection.execute(f"attach if not exists ':memory:' as {domain}")
    connection.execute(f"create schema if not exists {domain}.{schema}")
    connection.execute(f"create table {name} as {sql}")


def told(relation: str) -> str:
    """The statements of a relation as the key ring reads them."""
    folder, source, cardinality = RELATIONS[relation]
    query = sql_of(folder, relation.replace("-", "_"))
    return f"""
        select '{relation}' as relation, s.*, w.written_at as recorded_at, '' as from_type,
            '' as to_type, '{cardinality}' as cardinality, '{folder}' as authority,
            '{relation}' as topic, 0 as "partition", s._cause as "offset"
        from ({query}) s join input.{source} w using (statement_id)
    """


def sql_of(folder: str, port: str) -> str:
    """The query of a port."""
    return (ROOT / "products" / folder / f"{port}.sql").read_text("utf-8")
