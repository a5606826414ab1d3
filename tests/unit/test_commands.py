"""What a command is, and what contracts makes of one, without a broker."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mesh.cli.command import command
from mesh.contract.project import load_project
from mesh.errors import InvalidFile, WrongUse
from mesh.ports.commands import BadCommand, NotAccepted, commands_of, model_of
from mesh.product.intake import Checker
from mesh.product.plan import plan_product
from mesh.product.storage import Storage
from tests.repository import ROOT

FOLDER = ROOT / "products/contracts/commands"
OLD, NEW, NUMBER = "C-000000018", "C-000000026", "+12025550123"
MARCH, APRIL = datetime(2026, 3, 1, tzinfo=UTC), "2026-04-01T00:00:00Z"
GIVEN = {
    "command_id": "c", "idempotency_key": "k", "request_digest": "d", "commanded_by": "linus",
    "accepted_at": "2026-05-01T00:00:00Z",
}  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    return plan_product(load_project(ROOT), "contracts")


@pytest.fixture
def contract(plan):
    return next(each.contract for each in plan.inputs if each.name == "commands")


@pytest.fixture
def connection(plan, tmp_path):
    """What the CRM wrote: two contracts, the first of which has a number and a household."""
    storage = Storage.open(tmp_path / "storage.duckdb", plan.tables)
    for number, kind in ((OLD, "mobile"), (NEW, "mobile"), ("C-000000034", "internet")):
        storage.connection.execute(
            "insert into input.contract_changes (change_id, contract_number, revision, kind,"
            " opened_at) values (?, ?, 1, ?, ?)",
            [f"{number}-1", number, kind, MARCH],
        )
    storage.connection.execute(
        "insert into input.number_changes (statement_id, link_id, revision, phone_number,"
        " contract_number, valid_from, retracted) values ('N-1-1', 'N-1', 1, ?, ?, ?, false)",
        [NUMBER, OLD, MARCH],
    )
    # Its id is that of a link of a number too: they are not the same link.
    storage.connection.execute(
        "insert into input.household_changes (statement_id, link_id, revision, household_id,"
        " contract_number, valid_from, retracted)"
        " values ('N-1-1', 'N-1', 3, 'H-00001', ?, ?, false)",
        [OLD, MARCH],
    )
    found = storage.reader()
    found.execute('set schema = "input"')
    found.execute(model_of(FOLDER))
    yield found
    storage.close()


def judged(connection, contract, name: str, **body: str) -> dict:
    """What follows from a command."""
    command = commands_of(FOLDER, contract)[name]
    row = {**command.read(body), **GIVEN, "command": name}
    (found,) = command.judge(connection, Checker(), row).to_pylist()
    return found


def refused(connection, contract, name: str, **body: str) -> set[tuple[str, str]]:
    with pytest.raises((BadCommand, NotAccepted)) as caught:
        judged(connection, contract, name, **body)
    return {(each.field, each.reason) for each in caught.value.refusals}


def test_a_port_is_one_event_that_ends_the_old_link_and_begins_the_new(connection, contract):
    found = judged(
        connection, contract, "port-number",
        phone_number=NUMBER, from_contract=OLD, contract_number=NEW, effective_at=APRIL,
    )  # fmt: skip

    links = [
        (each["link_id"], each["revision"], each["contract_number"], each["valid_to"] is None)
        for each in found["statements"]
    ]
    assert sorted(links) == [("N-1", 2, OLD, False), ("c-number", 1, NEW, True)]
    assert len({each["statement_id"] for each in found["statements"]}) == 2
    assert found["revisions"] == []


def test_a_contract_ends_with_all_that_it_has(connection, contract):
    found = judged(connection, contract, "close-contract", contract_number=OLD)

    (revision,) = found["revisions"]
    assert revision["revision"] == 2
    assert revision["closed_at"] == found["effective_at"] == found["accepted_at"]
    ended = {(each["has"], each["revision"], each["valid_to"]) for each in found["statements"]}
    assert ended == {("number", 2, found["accepted_at"]), ("household", 4, found["accepted_at"])}


def test_what_does_not_fit_what_is_so_is_refused(connection, contract):
    port = {"phone_number": NUMBER, "from_contract": OLD}

    internet = refused(connection, contract, "port-number", **port, contract_number="C-000000034")
    early = refused(
        connection, contract, "close-contract", contract_number=OLD, effective_at="2026-01-01"
    )

    assert internet == {("contract_number", "only a mobile contract has a number")}
    assert {field for field, _ in early} == {"effective_at"}


def test_what_is_no_command_is_refused_by_its_contract(connection, contract):
    badly = refused(connection, contract, "close-contract", contract_number="18")
    strange = refused(connection, contract, "close-contract", contract_number=OLD, kind="mobile")

    assert {field for field, _ in badly} == {"contract_number"}
    assert {field for field, _ in strange} == {"kind"}


@pytest.mark.parametrize("value", [1.5, [], {}, "2026-13-01", "'; drop table commands"])
def test_a_value_of_another_type_is_refused(contract, value):
    command = commands_of(FOLDER, contract)["close-contract"]

    with pytest.raises(BadCommand):
        command.read({"effective_at": value})


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select $colour as a", "colour"),
        ("select 1; select 2", "not one query"),
        ("selec 1", "not one query"),
    ],
)
def test_sql_that_is_no_command_is_found_at_the_start(contract, tmp_path, sql, words):
    (tmp_path / "paint.sql").write_text(sql)

    with pytest.raises(InvalidFile, match=words):
        commands_of(tmp_path, contract)


@pytest.mark.parametrize("product", ["billing", "network-usage"])
def test_a_product_that_takes_no_commands_is_told_from_one_that_does(product):
    done = CliRunner().invoke(command, [product], obj=SimpleNamespace(project=load_project(ROOT)))

    assert isinstance(done.exception, WrongUse)
    assert str(done.exception) == f"{product} takes no commands, but contracts does"
