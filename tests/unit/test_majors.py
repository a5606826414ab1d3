"""Two major versions of a port in the files: ids, names, tables, and who may take one away."""

from __future__ import annotations

import shutil

import pytest

from mesh.cli.read import find_port
from mesh.contract.policies import check_product
from mesh.contract.project import load_project
from mesh.errors import InvalidFile, WrongUse
from mesh.product.plan import plan_product
from tests.majors import CALLS, CALLS_V2, add_v2, center, edit, retire_v1
from tests.people import grant_only
from tests.repository import ROOT
from tests.stats import CALLERS, HEAVY, write_project


@pytest.fixture
def root(tmp_path):
    """A project whose call center serves both major versions of its calls."""
    shutil.copytree(center(ROOT), center(tmp_path))
    shutil.copytree(ROOT / "company", tmp_path / "company")
    grant_only(tmp_path / "company" / "people.yaml", "call-center")
    add_v2(tmp_path)
    return tmp_path


def faults(root) -> list[str]:
    with pytest.raises(InvalidFile) as found:
        load_project(root)
    return [str(each) for each in found.value.faults]


def test_both_majors_are_ports_of_their_own(root):
    plan = plan_product(load_project(root), "call-center")

    first, _, second = plan.outputs
    assert [(each.port.name, each.contract.id) for each in plan.outputs] == [
        ("calls", CALLS),
        ("calls-masked", f"{CALLS}-masked"),
        ("calls.v2", CALLS_V2),
    ]
    assert first.contract.topic.removesuffix("1") == second.contract.topic.removesuffix("2")
    assert [first.port.sql_path.name, second.port.sql_path.name] == ["calls.sql", "calls.v2.sql"]
    tables = [name for schema, name, _ in plan.tables if schema == "main"]
    assert tables == ["calls", "calls_masked", "calls_v2"]
    assert len({each.contract.rejected_topic for each in plan.outputs}) == 3
    assert len({each.contract.subject for each in plan.outputs}) == 3


def test_a_reader_says_which_of_them_it_means(root):
    project = load_project(root)

    assert find_port(project, "calls").id == CALLS
    assert find_port(project, "calls.v2").id == CALLS_V2
    assert find_port(project, CALLS_V2).id == CALLS_V2
    assert project.readers_of(project.contract(CALLS)) == ("ada", "grace")
    assert project.readers_of(project.contract(CALLS_V2)) == ()


def test_a_port_that_is_read_cannot_be_taken_away(root):
    retire_v1(root)

    found = faults(root)

    assert len(found) == 2
    assert all("people.yaml" in each and f"read {CALLS_V2} instead" in each for each in found)


def test_a_port_can_go_when_its_last_reader_has_left(root):
    retire_v1(root)
    people = root / "company" / "people.yaml"
    people.write_text(people.read_text().replace(f"contract: {CALLS}\n", f"contract: {CALLS_V2}\n"))

    project = load_project(root)

    assert project.readers_of(project.contract(CALLS_V2)) == ("ada", "grace")
    with pytest.raises(WrongUse, match="did you mean"):
        find_port(project, "calls")


def test_a_reader_of_what_is_about_to_go_is_warned(tmp_path):
    root = write_project(tmp_path)
    add_v2(root)
    contract = center(root) / "contracts" / "calls.odcs.yaml"
    edit(contract, ("status: active", "status: deprecated"))
    project = load_project(root)

    found = check_product(project.product(HEAVY), project)

    assert [(each.level, each.fault.rule) for each in found if CALLS in each.fault.problem] == [
        ("warning", "input-deprecated")
    ]
    assert not check_product(project.product("call-center"), project)
    assert project.readers_of(project.contract(CALLERS)) == ()


def test_two_contracts_of_one_topic_are_refused(root):
    contract = center(root) / "contracts" / "calls.odcs.yaml"
    edit(
        contract,
        ("\nversion: 1.0.0", "\nversion: 2.0.0"),
        ("call-center.calls.v1", "call-center.calls.v2"),
    )

    assert any("share the topic" in each for each in faults(root))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("contractId: call-center.calls.v2", "contractId: call-center.calls.v3", "no contract"),
        ("contractId: call-center.calls.v2", "contractId: call-center.calls", "there twice"),
        (
            "contractId: call-center.calls.v2",
            "contractId: call-center.kalls.v2",
            "has the contract",
        ),
        ("    version: 2.0.0\n", "    version: 1.0.0\n", "not that of its contract"),
    ],
)
def test_a_second_major_that_is_named_wrongly_is_told(root, old, new, words):
    edit(center(root) / "product.yaml", (old, new))

    assert any(words in each for each in faults(root))


def test_an_id_with_another_major_than_its_topic_is_told(root):
    contract = center(root) / "contracts" / "calls.v2.odcs.yaml"
    edit(contract, (f"id: {CALLS_V2}\n", "id: call-center.calls.v3\n"))

    assert any("disagree" in each for each in faults(root))
