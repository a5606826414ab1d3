"""`mesh new`: whatever ports it reads, the product that it makes is valid, right and runs."""

from __future__ import annotations

import itertools
import re

import duckdb
import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from mesh.contract.rules import check, fit
from mesh.errors import WrongUse
from mesh.product.cases import run_cases, typed
from mesh.product.duck import connect_memory
from mesh.product.new_shaping import fields_by
from mesh.product.plan import plan_product
from mesh.product.state_query import make_inputs
from tests.made import PORTS, assert_whole, fields_of, file_of, made
from tests.shipped import histories, play

PAIRS = [
    pair
    for pair in itertools.combinations(PORTS, 2)
    if fields_by(PORTS[pair[0]]).keys() & fields_by(PORTS[pair[1]]).keys()
]
EVENTS = [id_ for id_, contract in PORTS.items() if contract.kind == "event"]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.fixture
def root(tmp_path):
    """A folder that has room for products."""
    (tmp_path / "products").mkdir()
    return tmp_path


@pytest.mark.parametrize("port", PORTS)
def test_of_each_port_that_ships_a_state_port_is_made(root, port):
    assert_whole(made(root, port)[1])


@pytest.mark.parametrize("port", EVENTS)
def test_of_each_event_port_that_ships_an_event_port_is_made(root, port):
    assert_whole(made(root, port, kind="event")[1])


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_of_each_pair_that_shares_an_identifier_a_state_port_is_made(root, pair):
    # It is checked before it is there.
    found, project = made(root, *pair)
    assert found.cases
    assert set(pair) == {each.contract_id for each in project.product("signals").inputs}


def test_pairs_that_share_an_identifier_are_found():
    assert ("billing.invoices", "billing.payments") in PAIRS
    assert len(PAIRS) > 20


@pytest.mark.parametrize("change", [("count(*)", "count(*) + 1"), ("max(", "min("), ("left ", "")])
def test_the_cases_that_are_made_see_a_wrong_query(root, change):
    _, project = made(root, "contracts.contracts", "billing.invoices")
    path = file_of(root, "signals.sql")
    path.write_text(path.read_text().replace(*change))

    assert not all(each.is_ok for each in run_cases(plan_product(project, "signals")))


@pytest.mark.parametrize("port", PORTS)
def test_made_up_rows_keep_the_contract_of_the_port_that_they_are_of(root, port):
    made(root, port)
    contract = PORTS[port]
    cases = yaml.safe_load(file_of(root, "signals.test.yaml").read_text())["cases"]
    rows = [row for case in cases for row in next(iter(case["given"].values()))]
    with connect_memory() as connection:
        fitted = fit(typed(connection, rows, contract), contract)
        numbers = pa.array(range(fitted.table.num_rows), pa.int64())
        connection.register("rows", fitted.table.append_column("_row", numbers))
        broken = check(connection, "rows", contract)

    assert rows
    # A rule over several fields is the owner's to keep.
    assert [each for each in [*fitted.violations, *broken] if each.field] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "ports",
    [
        ("contracts.contracts", "billing.invoices"),
        ("call-center.calls", "contracts.phone-number-contract"),
        ("billing.payments", "billing.invoices", "billing.billing-account-payer"),
        ("key-ring.links",),
    ],
    ids=" ".join,
)
def test_the_keys_file_names_every_row_that_a_batch_changes(root, ports):
    plan = plan_product(made(root, *ports)[1], "signals")

    @settings(max_examples=10, deadline=None, database=None, suppress_health_check=SLOW)
    @given(history=histories(plan))
    def holds(history):
        play(plan, history, root / "state")

    holds()


def test_two_state_ports_with_one_key_stand_side_by_side(root):
    _, project = made(root, "contracts.contracts", "billing.invoices", name="bills")
    ports = ("contracts.contracts", "bills.bills", "billing.payments")
    with pytest.raises(WrongUse, match="no identifier is in each of them"):
        made(root, *ports, project=project)
    _, project = made(root, *ports[:2], "billing.invoices", project=project)

    assert_whole(project)
    names = ["kind", "bills_kind", "bills_count_invoices", "count_invoices"]
    assert set(names) <= {*fields_of(project)}


def test_personal_fields_are_left_out_but_for_the_key_which_is_marked(root):
    found, project = made(root, "contracts.contracts", "billing.invoices")

    personal = [each.name for each in fields_of(project).values() if each.is_personal]
    assert personal == ["contract_number"]
    left = ["holder_id", "user_id", "administrator_id", "household_id"]
    assert [field.name for _, field in found.shape.left_out] == left
    assert all(each in file_of(root, "README.md").read_text() for each in left)


def test_text_that_masked_ports_leave_out_is_left_out(root):
    found, project = made(root, "call-center.calls", kind="event")

    assert {"phone_number", "agent_id", "reason"}.isdisjoint(fields_of(project))
    assert "call-center.calls-masked has all that is read" in "\n".join(found.notes)


def test_a_port_that_holds_a_personal_identifier_alone_carries_it_marked(root):
    fields = fields_of(made(root, "contracts.contract-holder", kind="event")[1])

    assert fields["from_id"].is_personal
    assert fields["from_id"].identifier == "contract-number"
    assert "to_id" not in fields


def test_a_hash_is_not_called_as_the_identifier_that_it_was(root):
    fields = fields_of(made(root, "call-center.calls-masked", kind="event")[1])

    assert {"phone_number_hash", "queue"} <= {*fields}
    assert {"phone_number", "agent_id"}.isdisjoint(fields)


def test_the_questions_of_the_readme_can_be_asked(root):
    for number, ports in enumerate([("key-ring.links",), ("contracts.contracts",)]):
        _, project = made(root, *ports, name=f"signals{number}")
        contract = project.contract(f"signals{number}.signals{number}")
        text = (root / "products" / f"signals{number}" / "README.md").read_text()
        asked = re.findall("```sql\n(.*?)```", text, re.DOTALL)
        assert len(asked) == 3
        with duckdb.connect() as connection:
            make_inputs(connection, {contract.name: contract})
            for each in asked:
                connection.execute(each)
