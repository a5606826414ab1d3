"""The unified view of the simulated company is what is true of its people, who calls included."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company import billing, crm
from company.calls import CALLS_PER_DAY, calls
from company.clock import BEGIN, DAY, instant
from company.identifiers import person_ids
from company.lines import NO_NUMBER
from company.people import NOBODY
from company.telephony import finished_calls
from company.world import build
from mesh.contract.project import load_project
from mesh.product.plan import plan_product
from tests.repository import ROOT
from tests.unit.test_customer_profile import World

DAYS = 60
NOW = BEGIN + DAYS * DAY
INSTANT = pa.timestamp("us", tz="UTC")
TRUTH = build(7)
CALLS = calls(TRUTH, np.arange(DAYS * CALLS_PER_DAY, dtype=np.int64))


def known(table: pa.Table) -> pa.Table:
    """What has begun by now; what ends later has no end yet."""
    now = pa.scalar(instant(NOW), INSTANT)
    begun = table.filter(pc.less_equal(table["valid_from"], now))
    is_over = pc.less_equal(begun["valid_to"], now)
    ends = pc.if_else(is_over, begun["valid_to"], pa.scalar(None, INSTANT))
    return begun.set_column(begun.schema.get_field_index("valid_to"), "valid_to", ends)


def links(table: pa.Table, relation: str, source: str, target: str) -> pa.Table:
    """Statements as the key ring has them."""
    count = table.num_rows
    return pa.table(
        {
            "relation": [relation] * count,
            "statement_id": [f"{relation}-{n}" for n in range(count)],
            "from_id": table[source],
            "to_id": table[target],
            "holds": [True] * count,
            "valid_from": table["valid_from"],
            "valid_to": table["valid_to"],
        }
    )


def put(world: World, name: str, rows: pa.Table) -> None:
    """Fill a table of inputs; what nothing asks for stays empty."""
    world.connection.register("_rows", rows)
    world.connection.execute(f"insert into input.{name} by name select * from _rows")


@pytest.fixture(scope="module")
def view() -> dict[tuple[str, str], dict[str, object]]:
    """What the port's query says of the company, by subject and role."""
    world = World(plan_product(load_project(ROOT), "customer-profile"))
    roles, numbers = known(crm.roles(TRUTH)), known(crm.numbers(TRUTH))
    for role in ("holder", "user", "administrator", "resident"):
        chosen = roles.filter(pc.equal(roles["role"], role))
        put(world, "links", links(chosen, f"contract-{role}", "contract_number", "person_id"))
    put(world, "links", links(numbers, "phone-number-contract", "phone_number", "contract_number"))
    accounts = billing.accounts(TRUTH)
    for name in ("valid_from", "valid_to"):
        accounts = accounts.append_column(name, pa.nulls(accounts.num_rows, INSTANT))
    payer = links(accounts, "billing-account-payer", "billing_account_number", "payer_id")
    put(world, "links", payer)
    signed = crm.contracts(TRUTH)
    is_closed = pc.fill_null(
        pc.less_equal(signed["closed_at"], pa.scalar(instant(NOW), INSTANT)), False
    )
    state = pc.if_else(is_closed, "closed", "active")
    put(world, "contracts", signed.select(["contract_number"]).append_column("state", state))
    put(
        world,
        "calls",
        finished_calls(TRUTH, CALLS).select(["call_id", "phone_number", "started_at", "reason"]),
    )
    for name, rows in (
        ("invoices", billing.invoices(TRUTH, 1)),
        ("payments", billing.payments(TRUTH, 1)),
    ):
        put(world, name, money(rows))
    found = world.connection.sql(world.output.query.sql).to_arrow_table().to_pylist()
    return {(each["subject_id"], each["role"]): each for each in found}


def money(rows: pa.Table) -> pa.Table:
    """Invoices or payments of the world as the product reads them, paid by now."""
    if "paid_at" in rows.column_names:
        rows = rows.filter(pc.less_equal(rows["paid_at"], pa.scalar(instant(NOW), INSTANT)))
    cents = rows["amount_cents"].to_pylist()
    amount = pa.array([Decimal(each) / 100 for each in cents], pa.decimal128(12, 2))
    rows = rows.drop_columns(["amount_cents"]).append_column("amount", amount)
    for name in ("invoice_id", "payment_id"):
        if name in rows.column_names:
            place = rows.schema.get_field_index(name)
            rows = rows.set_column(place, name, rows[name].cast(pa.string()))
    return rows.append_column("currency", pa.array(["USD"] * rows.num_rows))


def test_every_call_is_counted_for_the_person_who_made_it_and_for_nobody_else(view):
    user = TRUTH.contracts.user[TRUTH.tenures.contract[CALLS.tenure]]
    true = Counter(person_ids(user))
    said = {s: row["count_calls"] for (s, role), row in view.items() if role == "user"}

    assert {each: count for each, count in said.items() if count} == true


def test_every_user_has_the_numbers_that_are_theirs_now(view):
    tenures, signed = TRUTH.tenures, TRUTH.contracts
    now = (tenures.number != NO_NUMBER) & (tenures.start <= NOW) & (tenures.end > NOW)
    user = signed.user[tenures.contract[now]]
    true = Counter(person_ids(user[user != NOBODY]))
    said = {s: row["count_numbers"] for (s, role), row in view.items() if role == "user"}

    assert {each: count for each, count in said.items() if count} == true


def test_every_payer_owes_what_was_not_paid_by_now(view):
    paid = set(money(billing.payments(TRUTH, 1))["invoice_id"].to_pylist())
    accounts = billing.accounts(TRUTH)
    payer = dict(zip(*(accounts[each].to_pylist() for each in accounts.column_names), strict=True))
    true: Counter[str] = Counter()
    for each in money(billing.invoices(TRUTH, 1)).to_pylist():
        if each["invoice_id"] not in paid:
            true[payer[each["billing_account_number"]]] += each["amount"]
    said = {s: row["open_amount"] for (s, role), row in view.items() if role == "payer"}

    assert {each: amount for each, amount in said.items() if amount} == true
    assert len(true) > 50
