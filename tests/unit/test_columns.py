"""Of which fields of other ports the fields of the shipped products are made, and what follows."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mesh.cli.main import mesh
from mesh.contract.columns import PortColumns, Ref, columns_of
from mesh.contract.impact import Lineage, Touched, impact_of, trace
from mesh.contract.project import Project, load_project
from mesh.errors import WrongUse
from tests.repository import ROOT


@cache
def shipped() -> Lineage:
    """The lineage of the products of this repository."""
    return trace(load_project(ROOT))


def made_of(port: str, field: str) -> set[str]:
    """Of which fields a field's value is made, as text."""
    return {str(each) for each in shipped().ports[port].values[field]}


def test_of_every_shipped_port_it_is_known_of_what_it_is_made() -> None:
    unknown = [each.contract_id for each in shipped().ports.values() if each.unknown]

    # What lands as files is made of no port, as far as SQL of a product says.
    assert {each.partition(".")[0] for each in unknown} == {"network-usage", "reports"}
    assert all(shipped().project.contract(each).day_field for each in unknown)


def test_every_field_of_every_port_is_traced_to_fields_that_there_are() -> None:
    contracts = shipped().project.contracts
    names = {each.id: [field.name for field in each.fields] for each in contracts.values()}
    for port, columns in shipped().ports.items():
        assert list(columns.values) == names[port]
        assert all(each.field in names[each.contract_id] for each in columns.named)


def test_a_computed_field_is_made_of_both_its_fields() -> None:
    source = "call-center.finished-calls"
    assert made_of("call-center.calls", "duration_s") == {
        f"{source}.started_at",
        f"{source}.ended_at",
    }


def test_a_filter_decides_rows_and_no_value() -> None:
    columns = shipped().ports["contracts.contract-holder"]
    assert columns.decides == {
        Ref("contracts.role-changes", "role"),
        Ref("contracts.commands", "statements"),
    }
    assert made_of("contracts.contract-holder", "to_id") == {
        "contracts.role-changes.person_id",
        "contracts.commands.statements",
    }


def test_a_struct_that_is_unfolded_keeps_its_fields_apart() -> None:
    assert made_of("contracts.contracts", "kind") == {
        "contracts.commands.revisions",
        *(f"contracts.contract-changes.{each}" for each in ("kind", "revision", "change_id")),
    }


def test_a_family_is_made_of_each_of_its_ports() -> None:
    relations = {each.id for each in shipped().project.relations}
    assert made_of("key-ring.links", "from_id") == {f"{each}.from_id" for each in relations}
    assert made_of("key-ring.links", "authority") == set()


def test_a_staging_port_is_made_of_nothing() -> None:
    assert made_of("call-center.finished-calls", "queue") == set()
    assert shipped().ports["call-center.finished-calls"].named == frozenset()


def test_what_is_not_understood_is_unknown_and_counts_as_made_of_everything(tmp_path: Path) -> None:
    columns = with_sql(tmp_path, "select #1 from new_finished_calls")
    assert columns.unknown == "calls.sql: it names a column by its place"
    everything = {Ref("call-center.finished-calls", each) for each in ("queue", "site", "reason")}
    assert everything <= columns.values["call_id"]
    assert everything <= columns.decides


def test_a_query_that_leaves_a_field_out_is_unknown(tmp_path: Path) -> None:
    columns = with_sql(tmp_path, "select call_id from new_finished_calls union select site from x")
    assert "x is no input port" in columns.unknown


def test_a_port_made_of_what_nobody_offers_yet_is_unknown() -> None:
    project = shipped().project
    product = project.product("call-center")
    port = product.outputs[0]
    alone = replace(product, contracts=(port.contract,))
    project = replace(project, products={"call-center": alone})
    columns = columns_of(project, port.contract)
    assert "it reads call-center.finished-calls, which is not known" in columns.unknown


def test_a_port_without_sql_is_unknown(tmp_path: Path) -> None:
    project = shipped().project
    product = project.product("call-center")
    port = replace(product.outputs[0], sql_path=tmp_path / "absent.sql")
    changed = {**project.products, "call-center": replace(product, outputs=(port,))}
    columns = columns_of(replace(project, products=changed), port.contract)
    assert columns.unknown == "absent.sql: it cannot be read"


def with_sql(folder: Path, sql: str) -> PortColumns:
    """Of what the port calls is made with another query."""
    project = shipped().project
    product = project.product("call-center")
    (folder / "calls.sql").write_text(sql)
    port = replace(product.outputs[0], sql_path=folder / "calls.sql")
    changed = replace(product, outputs=(port,))
    project = replace(project, products={**project.products, "call-center": changed})
    return columns_of(project, port.contract)


def touched(port: str, field: str) -> dict[str, Touched]:
    """What a change of a field touches, by port."""
    return {each.contract_id: each for each in impact_of(shipped(), Ref(port, field)).ports}


def test_a_change_reaches_ports_of_other_products_through_the_ports_between() -> None:
    found = touched("billing.payer-changes", "payer_id")
    assert found["billing.billing-account-payer"].fields == ("to_id",)
    assert found["billing.billing-account-payer"].steps == 1
    assert "to_id" in found["key-ring.links"].fields
    assert found["key-ring.links"].steps == 2
    assert found["key-ring.links"].people == ("ada", "katherine", "edith")


def test_who_reads_a_port_of_which_other_rows_come_is_touched_too() -> None:
    found = touched("contracts.role-changes", "role")
    assert found["contracts.contract-holder"].fields == ()
    assert found["contracts.contract-holder"].has_rows
    assert found["key-ring.links"].has_rows


def test_a_change_of_what_no_port_is_made_of_touches_nobody_but_its_readers() -> None:
    found = impact_of(shipped(), Ref("customer-profile.profiles", "open_amount"))
    assert (found.ports, found.products) == ((), ())
    assert found.people == ("florence",)


def test_a_product_that_does_not_use_the_field_is_spared(tmp_path: Path) -> None:
    lineage = trace(with_second_reader(tmp_path))
    found = impact_of(lineage, Ref("call-center.finished-calls", "site"))
    assert found.products == ("call-center", "reports")
    assert found.spared == ("queues",)
    assert impact_of(lineage, Ref("call-center.finished-calls", "queue")).spared == ()


def with_second_reader(folder: Path) -> Project:
    """The shipped products, and one more that reads the staging topic of the first."""
    project = shipped().project
    shutil.copytree(ROOT / "products" / "call_center", folder / "queues")
    sql = folder / "queues" / "calls.sql"
    sql.write_text("select call_id, queue from new_finished_calls")
    product = project.product("call-center")
    contract = product.outputs[0].contract
    fields = tuple(each for each in contract.fields if each.name in ("call_id", "queue"))
    contract = replace(contract, id="queues.calls", product="queues", fields=fields)
    port = replace(product.outputs[0], contract=contract, sql_path=sql)
    other = replace(product, id="queues", outputs=(port,), contracts=(contract,))
    return replace(project, products={**project.products, "queues": other})


def test_a_door_of_python_is_told_as_unknown() -> None:
    assert impact_of(shipped(), Ref("contracts.contract-holder", "to_id")).doors == ("key-ring",)


def test_an_edge_says_which_fields_go_where() -> None:
    edge = next(each for each in shipped().edges if each.target == "call-center")
    assert ("ended_at", "call-center.calls.duration_s") in edge.columns


def test_a_field_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(WrongUse, match=r"has no field fone_number: did you mean phone_number"):
        shipped().ref("call-center.calls", "fone_number")


def asked(*arguments: str) -> Result:
    """The command line, in this repository."""
    runner = CliRunner(env={"MESH_PROJECT": str(ROOT)})
    return runner.invoke(mesh, arguments)


def test_lineage_of_a_port_is_json_too() -> None:
    found = json.loads(asked("lineage", "contracts.contracts", "--json").stdout)
    (port,) = found["ports"]
    assert port["port"] == "contracts.contracts"
    assert port["readers"] == ["ada", "customer-profile", "linus", "reports"]
    assert port["fields"]["contract_number"] == [
        "contracts.commands.revisions",
        "contracts.contract-changes.contract_number",
    ]
    targets = {each["target"] for each in found["edges"]}
    assert targets == {"contracts", "customer-profile", "reports"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("./run mesh lineage", "billing.payer-changes"),
        ("./run mesh lineage key-ring", "contracts.contract-holder"),
        ("./run mesh lineage contracts.contracts", "contracts.role-changes.person_id"),
        ("./run mesh impact contracts.role-changes.role", "which rows there are"),
    ],
)
def test_the_commands_of_the_page_on_lineage_say_what_it_says(command: str, said: str) -> None:
    assert said in asked(*command.split()[2:]).stdout


def test_impact_is_json_too() -> None:
    found = json.loads(asked("impact", "payer-changes.payer_id", "--json").stdout)
    assert found["field"] == "billing.payer-changes.payer_id"
    assert found["products"] == ["billing", "customer-profile", "key-ring", "reports"]
    assert found["owners"] == [
        "billing@telco.example", "customer-profile@telco.example", "identity@telco.example",
        "reports@telco.example",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lineage", "kyring"), "did you mean key-ring"),
        (("impact", "call.x"), "there is no port 'call': did you mean calls"),
        (("impact", "calls."), "write PORT.FIELD"),
        (("impact", "calls.fone_number"), "did you mean phone_number"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(arguments: tuple[str, ...], said: str) -> None:
    found = asked(*arguments)
    assert isinstance(found.exception, WrongUse)
    assert said in str(found.exception)
