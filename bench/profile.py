"""One ported number, or one paid invoice, in the unified view, against its whole query.

    python -m bench.profile [--rounds N] [--contracts N]

The shipped query over a storage as the product keeps it: seven links and six invoices a contract,
ten calls. A million calls by default. Not here: Kafka on the way there.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.measure import alternate, median, report
from bench.stage import ROOT
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema, duckdb_columns
from mesh.product.duck import connect
from mesh.product.plan import Plan, plan_product
from mesh.product.state_port import StatePort

__all__ = ["main"]

PRODUCT = "customer-profile"
Changed = Mapping[str, pa.Table]
Change = Callable[[duckdb.DuckDBPyConnection, int], Changed]
# What each kind of link leads from and to, of contract number i.
LINKS = {
    "phone-number-contract": ("'+1' || (2000000000 + i)", "contract"),
    "contract-holder": ("contract", "'P-' || (1000000 + i // 2)"),
    "contract-user": ("contract", "'P-' || (1000000 + i)"),
    "contract-administrator": ("contract", "'P-' || (1000000 + i // 2)"),
    "contract-household": ("contract", "'H-' || (100000 + i // 3)"),
    "contract-billing-account": ("contract", "'B-' || (100000000 + i // 2)"),
    "billing-account-payer": ("'B-' || (100000000 + i)", "'P-' || (1000000 + i // 2)"),
}
LINK = """
insert into "input".links by name
select '{name}' as relation, '{name}' || i as statement_id, '{name}' || i as link_id,
    {one} as from_id, {other} as to_id, timestamptz '2026-01-01 00:00:00+00' as valid_from,
    false as retracted, true as holds
from (select i, 'C-' || (100000000 + i) as contract from range({count}) t(i) order by hash(i))
"""
REST = """
insert into "input".contracts by name
select 'C-' || (100000000 + i) as contract_number, 'mobile' as kind, 'active' as state
from range({count}) t(i);
insert into "input".calls by name
select uuid() as call_id, '+1' || (2000000000 + hash(i) % {count}) as phone_number,
    'billing' as queue, 'the invoice' as reason,
    timestamptz '2026-01-02 00:00:00+00' + i * interval 1 second as started_at
from range(10 * {count}) t(i);
insert into "input".invoices by name
select 'I-' || (100000000 + i) as invoice_id,
    'B-' || (100000000 + (i % {count}) // 2) as billing_account_number,
    'C-' || (100000000 + i % {count}) as contract_number, 19.90 as amount, 'USD' as currency,
    timestamptz '2026-02-01 00:00:00+00' as issued_at
from range(6 * {count}) t(i);
insert into "input".payments by name
select 'Y-' || i as payment_id, 'I-' || (100000000 + i) as invoice_id, 19.90 as amount,
    'USD' as currency
from range(5 * {count}) t(i)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--contracts", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        report("profile", measure(Path(folder), options.contracts, options.rounds))


def measure(folder: Path, count: int, rounds: int) -> dict[str, object]:
    """Milliseconds of each, and the shares of the whole query."""
    plan = plan_product(load_project(ROOT), PRODUCT)
    connection = filled(plan, folder / "profile.duckdb", count)
    (output,) = plan.states
    port = StatePort(connection, output.contract, output.query, lambda rows: (rows, []))
    for _ in port.recompute():
        pass

    def whole() -> float:
        began = time.perf_counter()
        connection.sql(output.query.sql).to_arrow_table()
        return time.perf_counter() - began

    nothing = {
        each.contract.name: arrow_schema(each.contract).empty_table() for each in plan.inputs
    }
    sides = {
        "number ported": changing(connection, port, nothing, ported),
        "invoice paid": changing(connection, port, nothing, partial(paid, 5 * count)),
        "whole query": whole,
    }
    found = alternate(sides, rounds)
    middle = {name: median(each) for name, each in found.items()}
    reference = middle["whole query"]
    return {
        "milliseconds": {name: round(1000 * each) for name, each in middle.items()},
        "share": {name: round(each / reference, 3) for name, each in middle.items()},
        "contracts": count,
        "calls": 10 * count,
        "rounds": rounds,
    }


def changing(
    connection: duckdb.DuckDBPyConnection, port: StatePort, nothing: Changed, change: Change
) -> Callable[[], float]:
    """What brings the port up after one more *change*, and says how long that took."""
    numbers = itertools.count(1)

    def act() -> float:
        began = time.perf_counter()
        connection.execute("begin")
        found = port.change({**nothing, **change(connection, next(numbers))})
        connection.execute("commit")
        seconds = time.perf_counter() - began
        assert 0 < found.rows.num_rows < 20  # noqa: S101 - or it did nothing
        return seconds

    return act


def ported(connection: duckdb.DuckDBPyConnection, number: int) -> Changed:
    """The number of one contract goes to another."""
    rows = f"from \"input\".links where statement_id = 'phone-number-contract{number}'"
    old = connection.sql(f"select * {rows}").to_arrow_table()
    contract = f"'C-{100_000_100 + number}'"
    connection.execute(
        f'update "input".links set to_id = {contract}'
        f" where statement_id = 'phone-number-contract{number}'"
    )
    return {"links": pa.concat_tables([old, connection.sql(f"select * {rows}").to_arrow_table()])}


def paid(unpaid: int, connection: duckdb.DuckDBPyConnection, number: int) -> Changed:
    """One of the invoices from *unpaid* on is paid."""
    row = f"'Y-{unpaid + number}' as payment_id, 'I-{100_000_000 + unpaid + number}' as invoice_id"
    row = f"select {row}, 19.90 as amount, 'USD' as currency"
    connection.execute(f'insert into "input".payments by name {row}')
    rows = f"select * from \"input\".payments where payment_id = 'Y-{unpaid + number}'"
    return {"payments": connection.sql(rows).to_arrow_table()}


def filled(plan: Plan, path: Path, count: int) -> duckdb.DuckDBPyConnection:
    """A storage with *count* contracts and what belongs to them."""
    # What a product comes to by itself where rows need more than the 64 MB of the beginning.
    path.with_suffix(".memory-mb").write_text("128")
    connection = connect(path)
    for each in plan.inputs:
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(each.contract))
        connection.execute(f'create table "input".{each.contract.name} ({columns})')
    for output in plan.states:
        columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(output.contract))
        connection.execute(f"create table main.{output.contract.name} ({columns})")
    for name, (one, other) in LINKS.items():
        connection.execute(LINK.format(name=name, one=one, other=other, count=count))
    connection.execute(REST.format(count=count))
    return connection


if __name__ == "__main__":
    main()
