"""What the plan keeps is found again: jobs and products' SQL make the same of the same input.

Every step that is kept needs a proof here. Where a job is known to be wrong, the two differ in
that alone, which is asserted too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from company import plugin
from mesh.contract.types import arrow_schema
from tests.both_sides import PLAN, PROJECT, BothSides, staged

KEPT = {each.table: each for each in PLAN.steps if each.fate == "kept"}
STAGING = {table: contract for table, contract in PLAN.landing if contract}
# That of links which contradict each other one holds, the warehouse does not know.
NEWEST = "port.links where known_to is null and not retracted"
CALL = "call_id, phone_number, queue, agent_id, reason, started_at, ended_at"
CONTRACT = "contract_number, revision, kind, opened_at, closed_at"
NUMBER = "link_id, revision, phone_number, contract_number, valid_from, valid_to, retracted"
HOUSEHOLD = "link_id, revision, contract_number, household_id, valid_from, valid_to, retracted"
PAYER = "link_id, revision, billing_account_number, payer_id, valid_from, valid_to, retracted"
INVOICE = "invoice_id, billing_account_number, contract_number, issued_at, due_at, amount"
PAYMENT = "payment_id, invoice_id, paid_at, amount"
# Of each kept table: what its job fills, and the same in the words of the port that has it.
PROOFS = {
    "staging.calls": (CALL, f"{CALL} from port.calls"),
    "staging.contract_changes": (CONTRACT, f"{CONTRACT} from port.contract_changes"),
    "staging.number_changes": (NUMBER, f"{NUMBER} from port.number_changes"),
    "staging.household_changes": (HOUSEHOLD, f"{HOUSEHOLD} from port.household_changes"),
    "staging.payer_changes": (PAYER, f"{PAYER} from port.payer_changes"),
    "staging.invoices": (INVOICE, f"{INVOICE} from port.invoices"),
    "staging.payments": (PAYMENT, f"{PAYMENT} from port.payments"),
    # But for the day, which is wrong.
    "integration.calls": (
        "call_id, phone_number, queue, reason, duration_s, is_abandoned",
        "call_id, phone_number, queue, coalesce(reason, 'none'), duration_s, agent_id is null"
        " from port.calls",
    ),
    "integration.contracts": (
        "contract_number, kind, opened_at, closed_at",
        "contract_number, kind, opened_at, closed_at from port.contracts",
    ),
    "integration.number_links": (
        "link_id, phone_number, contract_number, valid_from, valid_to",
        f"link_id, from_id, to_id, valid_from, valid_to from {NEWEST}",
    ),
    "integration.contract_households": (
        "contract_number, household_id, valid_from, valid_to",
        f"from_id, to_id, valid_from, valid_to from {NEWEST}",
    ),
    "integration.account_payers": (
        "billing_account_number, payer_id, valid_from, valid_to",
        f"from_id, to_id, valid_from, valid_to from {NEWEST}",
    ),
}
WRONG = {"integration.calls": {"call_day"}}


@pytest.fixture(scope="module")
def sides():
    return BothSides()


@pytest.fixture(scope="module")
def sent():
    """What the systems send until invoices are sent."""
    warehouse = plugin.warehouse
    nights = [warehouse.first_night, warehouse.first_night + timedelta(days=31)]
    first, month = (warehouse.extracts(7, each) for each in nights)
    return {**month, **first}


def contracts_of(table: str):
    """The staging ports of which a table is made."""
    return [STAGING[each] for each in KEPT[table].statement.landed]


def both(sides, table, rows, nights=1):
    """What the job has written into a table, and what the products' SQL says instead."""
    columns, port = PROOFS[table]
    sides.run(rows, table, KEPT[table].ports, nights)
    return sides.rows(f"select {columns} from {table}"), sides.rows(f"select {port}")


def test_every_step_that_is_kept_has_a_proof():
    assert set(PROOFS) == set(KEPT)


def test_a_proof_is_about_every_column_that_the_job_fills_and_is_not_known_to_be_wrong():
    for table, (columns, _) in PROOFS.items():
        made = {each.name for each in KEPT[table].statement.columns if each.origins}
        assert made - set(columns.split(", ")) == WRONG.get(table, set())


@pytest.mark.parametrize("table", PROOFS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_of_any_input_both_make_the_same(sides, table, data):
    rows = {each.id: data.draw(staged(each), label=each.id) for each in contracts_of(table)}

    old, new = both(sides, table, rows, nights=data.draw(st.integers(1, 3), label="nights"))

    assert old == new


@pytest.mark.parametrize("table", PROOFS)
def test_of_what_the_systems_send_both_make_the_same(sides, sent, table):
    old, new = both(sides, table, {each.id: sent[each.name] for each in contracts_of(table)})

    assert old == new
    assert old.total() > 300


def test_the_day_of_a_call_differs_in_the_last_hour_of_a_day_and_at_no_other_time(sides, sent):
    sides.run({"call-center.finished-calls": sent["finished_calls"]}, "integration.calls",
              KEPT["integration.calls"].ports)  # fmt: skip

    differ = sides.rows(
        "select call_day <> started_at::date as differs, hour(started_at) = 23 as is_last, 'x'"
        " from integration.calls join port.calls using (call_id)"
    )
    assert set(differ) == {("true", "true", "x"), ("false", "false", "x")}


def test_of_fractions_of_a_second_the_warehouse_counts_each_that_it_touches(sides):
    """No system sends a call that ends at another fraction than it began; one day one may."""
    contract = PROJECT.contract("call-center.finished-calls")
    begin = datetime(2026, 1, 3, 12, 0, 0, 900_000, tzinfo=UTC)
    call = {
        "call_id": "00000000-0000-4000-8000-000000000001", "phone_number": "+12025550101",
        "queue": "billing", "started_at": begin, "ended_at": begin + timedelta(seconds=1.2),
    }  # fmt: skip
    rows = pa.Table.from_pylist([call], arrow_schema(contract))

    old, new = both(sides, "integration.calls", {contract.id: rows})

    ((*_, counted, _),), ((*_, lasted, _),) = old, new
    assert (counted, lasted) == ("2", "1")
