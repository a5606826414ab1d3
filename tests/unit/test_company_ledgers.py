"""What CRM and billing see of the world agrees with its truth, and with each other."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from company import billing, crm
from company.clock import FOREVER
from company.identifiers import luhn
from company.world import World, build


@pytest.fixture(scope="module")
def world() -> World:
    return build(1)


@pytest.fixture(scope="module")
def roles(world) -> pa.Table:
    return crm.roles(world)


def test_the_crm_knows_one_holder_and_one_payer_of_a_contract_at_any_time(world, roles):
    by_role = roles.group_by("role").aggregate([("role", "count")])
    counts = dict(zip(*(by_role[name].to_pylist() for name in ("role", "role_count")), strict=True))
    contracts = len(world.contracts.opened)

    assert counts["holder"] == counts["administrator"] == contracts
    assert counts["payer"] == contracts + (world.contracts.payer_changed < FOREVER).sum()
    assert counts["user"] == world.contracts.is_mobile.sum()


def test_residents_are_all_who_live_where_the_internet_is_delivered(world, roles):
    internet = int(np.flatnonzero(~world.contracts.is_mobile)[0])
    household = int(world.contracts.household[internet])
    number = crm.contracts(world)["contract_number"][internet].as_py()
    living = crm.persons(world).filter(pa.array((world.people.household == household).tolist()))
    rows = roles.filter(pc.equal(roles["contract_number"], number)).to_pylist()

    assert sorted(row["person_id"] for row in rows if row["role"] == "resident") == (
        living["person_id"].to_pylist()
    )


def test_contract_and_account_numbers_carry_a_check_digit(world):
    numbers = crm.contracts(world)["contract_number"].to_pylist()[:1_000]
    accounts = billing.accounts(world)["billing_account_number"].to_pylist()

    assert all(int(one[-1]) == luhn(one[2:-1]) for one in numbers + accounts)
    assert luhn("7992739871") == 3  # the standard's textbook example


def test_every_address_is_one_that_cannot_be_reached(world):
    emails = crm.persons(world)["email"].to_pylist()

    assert len(set(emails)) == len(emails)
    assert all(one.endswith("@mail.example") for one in emails)


def test_an_invoice_goes_to_the_account_of_who_pays_at_that_time(world, roles):
    invoices = billing.invoices(world, 3)
    payer_of = dict(zip(*(c.to_pylist() for c in billing.accounts(world).columns), strict=True))
    paying = defaultdict(list)
    for row in roles.filter(pc.equal(roles["role"], "payer")).to_pylist():
        paying[row["contract_number"]].append(row)

    for invoice in invoices.slice(0, 2_000).to_pylist():
        at = invoice["issued_at"]
        (role,) = [
            row
            for row in paying[invoice["contract_number"]]
            if row["valid_from"] <= at and (row["valid_to"] is None or at < row["valid_to"])
        ]
        assert role["person_id"] == payer_of[invoice["billing_account_number"]]


def test_most_invoices_are_paid_once_and_in_full_some_late_and_some_never(world):
    invoices = {row["invoice_id"]: row for row in billing.invoices(world, 5).to_pylist()}
    payments = billing.payments(world, 5).to_pylist()
    late = [one for one in payments if one["paid_at"] > invoices[one["invoice_id"]]["due_at"]]

    assert len({one["invoice_id"] for one in payments}) == len(payments) < len(invoices)
    assert all(
        one["amount_cents"] == invoices[one["invoice_id"]]["amount_cents"] for one in payments
    )
    assert 0.94 < len(payments) / len(invoices) < 0.99
    assert 0.12 < len(late) / len(payments) < 0.19
