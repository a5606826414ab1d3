"""Relation ports: one schema, one authority, and who reads them."""

from __future__ import annotations

import shutil

import pytest

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.policies import check_product
from mesh.contract.project import load_project
from mesh.contract.standards import normal_form, why_not_normal
from mesh.control.principals import rights_of
from mesh.errors import InvalidFile, Refused, WrongUse
from mesh.product.family_watch import FamilyWatch
from mesh.product.plan import plan_product
from tests.relations import write_relation
from tests.repository import ROOT

NUMBERS, EMAILS = "test-sales.line-contract", "test-marketing.email-address-contract"


@pytest.fixture
def root(tmp_path):
    """A copy of the project with a product that states a relation."""
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    write_relation(tmp_path, NUMBERS, ("phone-number", "contract-number"), "many-to-one")
    return tmp_path


def rules(root, product: str) -> list[tuple[str, str]]:
    project = load_project(root)
    findings = check_product(project.product(product), project)
    return [(each.fault.rule, each.fault.problem) for each in findings]


def edit(root, product: str, port: str, old: str, new: str) -> None:
    path = root / "products" / product.replace("-", "_") / "contracts" / f"{port}.odcs.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def readers(root, product: str) -> set[str]:
    """Who may read a product's topics by the broker's rights."""
    return {
        each.principal
        for each in rights_of(load_project(root))
        if each.operation == "READ" and f".{product}." in each.name and each.name.startswith("pub.")
    }


def members(root) -> list[str]:
    plan = plan_product(load_project(root), "key-ring")
    return [
        each.contract.product for each in plan.inputs if each.contract.product.startswith("test")
    ]


def test_a_port_that_carries_a_relation_grants_itself_to_the_key_ring(root):
    assert rules(root, "test-sales") == []
    assert members(root) == ["test-sales"]
    assert readers(root, "test-sales") == {"test-sales", "key-ring"}


def test_a_second_authority_is_refused_with_the_name_of_the_first(root):
    contract = "test-thief.line-contract"
    write_relation(root, contract, ("phone-number", "contract-number"), "many-to-one")

    (found,) = rules(root, "test-thief")
    assert found[0] == "relation-authority"
    assert "test-sales has the authority over line-contract" in found[1]
    # Files do not say who was there first, so neither is believed until they agree.
    assert members(root) == []
    assert "key-ring" not in readers(root, "test-thief") | readers(root, "test-sales")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("partitions, value: 1", "partitions, value: 4", "no order across partitions"),
        ("retention, value: forever", "retention, value: P30D", "as long as they are true"),
        ("name: link_id", "name: link", "link is not a field of a link"),
        ("name: valid_to, logicalType: timestamp", "name: valid_to, logicalType: date", "valid_to"),
        ("description: The link., required: true", "description: The link.", "link_id"),
        ("identifier, value: phone-number", "identifier, value: sim-id", "from_id is a sim-id"),
    ],
)
def test_a_relation_port_of_another_form_is_refused_and_not_read(root, old, new, problem):
    edit(root, "test-sales", "line_contract", old, new)

    found = rules(root, "test-sales")
    assert any(rule == "relation-links" and problem in text for rule, text in found), found
    assert members(root) == []


def test_a_relation_between_what_is_not_on_the_list_is_refused(root):
    edit(root, "test-sales", "line_contract", "from: phone-number", "from: phone-numbr")

    assert ("identifier-known", "phone-numbr is not on the company's list of identifiers") in rules(
        root, "test-sales"
    )


def test_a_family_names_no_contract_and_feeds_no_event_port(root):
    folder = root / "products" / "key_ring"
    text = (folder / "product.yaml").read_text()
    named = text.replace("- name: statements\n", "- name: statements\n    contractId: x.y\n")
    (folder / "product.yaml").write_text(named)
    with pytest.raises(InvalidFile, match="a family names no contract"):
        load_project(root)
    (folder / "product.yaml").write_text(text)
    edit(
        root,
        "key-ring",
        "links",
        "value: state",
        "value: event\n  - property: retention\n    value: P1D",
    )
    (folder / "links.sql").write_text("select *, _cause from new_statements")

    with pytest.raises(InvalidFile, match="no such input port"):
        plan_product(load_project(root), "key-ring")


@pytest.mark.parametrize(
    "written", ["+12025550123", "+1 202-555-0123", "tel:+1-202-555-0123", " +1 (202) 555 0123 "]
)
def test_a_telephone_number_has_one_normal_form(root, written):
    number = load_project(root).identifiers["phone-number"]

    assert normal_form(number, written) == "+12025550123"
    assert (why_not_normal(number, written) is None) == (written == "+12025550123")


@pytest.mark.parametrize(
    "written", ["", "12025550123", "+1", "+99912345678901", "+1202555012x", "C-1"]
)
def test_what_is_no_telephone_number_is_refused(root, written):
    number = load_project(root).identifiers["phone-number"]

    with pytest.raises(WrongUse, match="is no phone-number"):
        normal_form(number, written)


def test_a_refusal_that_no_member_explains_is_doubted_once(root):
    endpoint = Endpoint(bootstrap_servers="127.0.0.1:1", registry_url="http://127.0.0.1:1")
    principal = Principal(name="key-ring", secret="none")
    watch = FamilyWatch(load_project(root), endpoint, principal)

    assert [watch.doubts(Refused(each)) for each in ("one", "another")] == [True, False]
