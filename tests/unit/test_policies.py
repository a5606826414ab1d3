"""Tests for `mesh.contract.policies`: each policy passes what ships and names what breaks it."""

from dataclasses import replace
from pathlib import Path

import pytest

from mesh.contract.policies import check_product
from mesh.contract.project import load_project


@pytest.fixture(scope="module")
def project():
    return load_project(Path())


def with_fields(product, **changes):
    """Return the product with the fields of its output port `calls` changed."""
    contract = product.outputs[0].contract
    fields = tuple(replace(one, **changes.get(one.name, {})) for one in contract.fields)
    changed = replace(contract, fields=fields)
    others = tuple(one for one in product.contracts if one.id != contract.id)
    return replace(
        product,
        outputs=(replace(product.outputs[0], contract=changed),),
        contracts=(*others, changed),
    )


def found(product, project):
    return [(one.fault.rule, one.level) for one in check_product(product, project)]


def line_of(text, marker):
    return next(i for i, line in enumerate(text.splitlines(), 1) if marker in line)


def test_what_ships_keeps_every_policy_and_asks_for_one_port_that_is_not_given_yet(project):
    found = [each for one in project.products.values() for each in check_product(one, project)]

    assert [(each.fault.rule, each.level) for each in found] == [("input-asked", "warning")]
    assert "device-plans.payer-age-bands" in found[0].fault.problem


@pytest.mark.parametrize("owner", ["", "grace", "grace@"])
def test_an_owner_is_reachable_by_mail(project, owner):
    product = replace(project.products["call-center"], owner=owner)

    assert found(product, project) == [("owner", "error")]


def test_an_output_port_holds_an_identifier(project):
    none = {"identifier": None, "name": "x"}
    product = with_fields(
        project.products["call-center"], call_id=none, phone_number=none, agent_id=none
    )

    assert found(product, project) == [("identifier-held", "error")]


def test_an_identifier_that_is_not_on_the_list_is_answered_with_the_nearest(project):
    product = with_fields(
        project.products["call-center"], phone_number={"identifier": "phone-numbr"}
    )

    (finding,) = check_product(product, project)

    assert finding.fault.rule == "identifier-known"
    assert finding.fault.remedy == "did you mean phone-number?"


def test_a_personal_identifier_is_marked_and_the_finding_has_its_line(project):
    product = with_fields(project.products["call-center"], phone_number={"is_personal": False})

    (finding,) = check_product(product, project)

    assert (finding.fault.rule, finding.level) == ("personal-marked", "error")
    text = finding.fault.path.read_text()
    assert finding.fault.line == line_of(text, "- name: phone_number")


def test_personal_data_has_a_purpose(project):
    product = project.products["call-center"]
    product = replace(
        product, contracts=tuple(replace(one, purpose=None) for one in product.contracts)
    )

    assert found(product, project) == [("personal-purpose", "error")] * 2


def test_a_field_called_as_an_identifier_is_asked_about(project):
    product = with_fields(
        project.products["call-center"], agent_id={"identifier": None, "is_personal": True}
    )

    assert found(product, project) == [("identifier-unmarked", "warning")]


def test_a_relation_joins_identifiers_of_the_list(project):
    product = project.products["call-center"]
    (first, *others) = product.contracts
    relation = {"property": "relation", "value": {"from": "phone-number", "to": "contract-nr"}}
    document = first.document | {"customProperties": [relation]}
    product = replace(product, contracts=(replace(first, document=document), *others))

    (finding,) = check_product(product, project)

    assert finding.where == ("customProperties", 0, "value", "to")
    assert finding.fault.remedy == "did you mean contract-number?"


def test_a_finding_about_a_file_that_is_gone_has_no_line(project, tmp_path):
    product = replace(project.products["call-center"], owner="", folder=tmp_path)

    (finding,) = check_product(product, project)

    assert finding.fault.line == 0
