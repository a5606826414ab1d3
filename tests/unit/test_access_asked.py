"""An input port of a descriptor asks its owner, unless the contract says that nobody is asked."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from mesh.contract.policies import check_product
from mesh.contract.project import Project, load_project
from mesh.control.principals import rights_of
from mesh.errors import InvalidFile
from tests.access import CALLS, PURPOSE, Desk
from tests.majors import edit
from tests.people import free
from tests.repository import ROOT
from tests.stats import PHONES, PHONES_SQL, write_product


@pytest.fixture
def with_stats(tmp_path: Path) -> Project:
    """The shipped project with a product that reads the calls, which are asked for."""
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    keys = "select phone_number from changed_calls"
    write_product(tmp_path, PHONES, [CALLS], PHONES_SQL, keys)
    return load_project(tmp_path)


def reads(project: Project, principal: str) -> bool:
    """Whether the rights of a project let *principal* read the calls."""
    topic = project.contract(CALLS).topic
    rights = {(each.principal, each.operation, each.name) for each in rights_of(project)}
    return (principal, "READ", topic) in rights


def test_an_input_port_on_a_port_that_asks_is_a_request(with_stats: Project):
    desk = Desk(with_stats)
    (found,) = [each for each in desk.desk.every() if each.principal == "call-stats"]

    assert (found.state, found.by, found.purpose) == ("requested", "call-stats", "Counts.")
    assert not reads(with_stats, "call-stats")
    desk.grant("call-stats")
    assert reads(desk.book.project, "call-stats")
    assert desk.desk.revoke("grace", CALLS, "call-stats", "")[1] == (
        "call-stats",
        "customer-profile",
        "reports",
    )
    assert not reads(desk.book.project, "call-stats")


def test_an_input_port_on_a_port_that_asks_nobody_is_granted(with_stats: Project):
    free(with_stats.contract(CALLS).path)
    project = load_project(with_stats.root)

    assert reads(project, "call-stats")
    assert Desk(project).desk.request("mallory", CALLS, PURPOSE).by == "auto"
    assert "input-asked" not in rules(project)


def test_what_an_owner_gives_in_the_files_is_granted_to_the_product_that_asks_until_revoked():
    desk = Desk(load_project(ROOT))
    (found,) = [each for each in desk.desk.every() if each.key == f"{CALLS}/customer-profile"]

    assert (found.state, found.by) == ("granted", "grace")
    assert reads(desk.book.project, "customer-profile")
    desk.desk.revoke("grace", CALLS, "customer-profile", "")
    assert not reads(desk.book.project, "customer-profile")


GIVEN = "to: customer-profile, contracts: [call-center.calls]"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            GIVEN,
            GIVEN.replace("call-center.calls", "contracts.contracts"),
            "does not own contracts",
        ),
        (GIVEN, GIVEN.replace(".calls", ".cals"), "did you mean call-center.calls?"),
        ("to: customer-profile, contracts: [call", "to: customers, contracts: [call", "customers"),
    ],
)
def test_nobody_gives_what_is_not_theirs_or_not_there(with_stats: Project, old, new, words):
    edit(with_stats.root / "company" / "people.yaml", (old, new))

    with pytest.raises(InvalidFile, match=words) as found:
        load_project(with_stats.root)
    assert len(found.value.faults) == 1


def test_a_check_of_the_product_says_that_it_waits(with_stats: Project):
    granted = replace(with_stats, decided={(CALLS, "call-stats"): True})

    assert rules(with_stats)["input-asked"] == "warning"
    assert "input-asked" not in rules(granted)


def rules(project: Project) -> Mapping[str, str]:
    """The rules that the product of `with_stats` breaks, with their levels."""
    found = check_product(project.product("call-stats"), project)
    return {each.fault.rule: each.level for each in found}
