"""The products of sales and finance on a real broker: fed by their systems, they tell the truth."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company import crm
from company.billing_system import Billing
from company.changes import Troubles
from company.crm_facts import facts_of
from company.crm_system import records
from company.identifiers import household_ids
from company.journal import keep_journal
from company.world import build
from mesh.testing import open_workbench
from tests.repository import ROOT

pytestmark = [pytest.mark.broker, pytest.mark.slow]

# Many more than the usual, so that few lines have some of each.
TROUBLES = Troubles(late=200, corrected=200, mistaken=100)
# Some mobile lines and some of internet at home, over all their years.
LINES = [*range(10), *range(4_000, 4_004)]
# How many records are written before that.
END_OF_FEBRUARY = 26_700
ROLES = ("holder", "user", "administrator")


@pytest.fixture
def sales(backbone, tmp_path):
    with open_workbench(backbone, source=ROOT, folder=tmp_path, products=["contracts"]) as found:
        yield found


@pytest.fixture
def finance(backbone, tmp_path):
    with open_workbench(backbone, source=ROOT, folder=tmp_path, products=["billing"]) as found:
        yield found


def some_contracts() -> set[int]:
    """The contracts that were ever on some lines."""
    tenures = build(7).tenures
    return set(tenures.contract[np.isin(tenures.line, LINES)].tolist())


def all_records_of(contracts: set[int]):
    """Whatever the CRM ever writes about some contracts, one table a staging topic."""
    world = build(7)
    chosen = {}
    for kind, facts in facts_of(world).items():
        about = facts.target if kind == "number" else facts.source
        chosen[kind] = facts.take(np.flatnonzero(np.isin(about, list(contracts))))
    journal = keep_journal(7, chosen, TROUBLES)
    return records(world, journal, 0, len(journal))


def expected_rows(contracts: set[int]) -> dict[str, dict]:
    """The port's rows, from the CRM's tables as they are in truth."""
    world = build(7)
    rows = crm.contracts(world).take(sorted(contracts)).to_pylist()
    households = household_ids(world.contracts.household[sorted(contracts)])
    found = {}
    for row, household in zip(rows, households, strict=True):
        state = "active" if row["closed_at"] is None else "closed"
        roles = dict.fromkeys(f"{role}_id" for role in ROLES)
        found[row["contract_number"]] = {
            **row, "state": state, **roles, "household_id": household
        }  # fmt: skip
    roles = crm.roles(world)
    roles = roles.filter(pc.is_in(roles["contract_number"], pa.array(found)))
    for row in roles.to_pylist():
        if row["role"] in ROLES:
            found[row["contract_number"]][f"{row['role']}_id"] = row["person_id"]
    return found


def assert_published(bench, contract_id: str, ids: list[str]) -> None:
    """The topic holds each of *ids* once, in that order."""
    messages = bench.messages(bench.contract(contract_id).topic)
    assert [each.key().decode() for each in messages] == ids


def test_fed_to_the_end_of_time_the_contracts_are_those_of_the_crm(sales):
    contracts = some_contracts()
    tables = all_records_of(contracts)
    for port, table in tables.items():
        assert sales.feed("contracts", table, port).count_new == table.num_rows
    with sales.running("contracts") as runtime:
        sales.settle(runtime, sum(table.num_rows for table in tables.values()))

    rows = {row["contract_number"]: row for row in sales.rows("contracts", "contracts")}
    expected = expected_rows(contracts)
    assert rows == expected
    assert len(rows) > 300
    roles = tables["role-changes"].to_pylist()
    numbers = tables["number-changes"]["statement_id"].to_pylist()
    assert_published(sales, "contracts.phone-number-contract", numbers)
    for role in (*ROLES, "resident"):
        ids = [row["statement_id"] for row in roles if row["role"] == role]
        assert_published(sales, f"contracts.contract-{role}", ids)
    households = tables["household-changes"]["statement_id"].to_pylist()
    assert_published(sales, "contracts.contract-household", households)
    last = {
        message.key().decode(): row
        for message, row in with_rows(sales, sales.contract("contracts.contracts").topic)
    }
    assert {key: row for key, row in last.items() if row is not None} == {
        key: {name: row[name] for name in last[key]} for key, row in expected.items()
    }


def with_rows(bench, topic: str):
    """The messages of a topic with their rows."""
    messages = bench.messages(topic)
    return zip(messages, bench.decoded(messages), strict=True)


def test_invoices_payments_and_who_pays_are_published_as_billing_writes_them(finance):
    # Into the first of March: payments of February's invoices, and those of the day.
    batches = list(Billing(troubles=TROUBLES).batches(7, 3_000, END_OF_FEBRUARY))
    tables = {
        port: pa.concat_tables(each[port] for each in batches if port in each)
        for port in {port for each in batches for port in each}
    }
    for port, table in tables.items():
        finance.feed("billing", table, port)
    with finance.running("billing") as runtime:
        finance.settle(runtime, 3_000)

    for port, staging in (
        ("invoices", "sent-invoices"),
        ("payments", "received-payments"),
        ("contract-billing-account", "account-changes"),
        ("billing-account-payer", "payer-changes"),
    ):
        assert_published(finance, f"billing.{port}", tables[staging].columns[0].to_pylist())
    invoices = {row["invoice_id"]: row for row in finance.rows("billing", "invoices")}
    sent = {row["invoice_id"]: row for row in tables["sent-invoices"].to_pylist()}
    assert {key: {n: row[n] for n in sent[key]} for key, row in invoices.items()} == sent


def test_one_feed_command_fills_all_topics_of_a_system_and_repeated_adds_nothing(sales):
    def feed() -> dict:
        done = subprocess.run(
            [sys.executable, "-m", "mesh", "feed", "contracts", "--records", "500", "--json"],
            env=sales.environment(),
            cwd=sales.root,
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout)

    first, second = feed(), feed()

    assert set(first["ports"]) == {
        "contract-changes",
        "number-changes",
        "role-changes",
        "household-changes",
    }
    assert first["count_new"] == sum(each["count_new"] for each in first["ports"].values()) == 500
    assert (second["count_new"], second["count_known"]) == (0, 500)
    for port, account in first["ports"].items():
        topic = sales.contract(f"contracts.{port}").topic
        assert len(sales.messages(topic)) == account["count_read"] > 0
