"""Input ports that a product writes itself: who may write them, and what they may not be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mesh.contract.odps import load_product
from mesh.contract.project import load_project
from mesh.control.principals import rights_of
from mesh.erasure.places import places_of
from mesh.errors import InvalidFile
from tests.people import grant_only
from tests.repository import ROOT

SYSTEM = "- property: system\n        value: telephony"
OWN = "- property: own\n        value: true"


@pytest.fixture
def root(tmp_path):
    """A project of one product, which a system feeds."""
    shutil.copytree(ROOT / "products/call_center", tmp_path / "products/call_center")
    shutil.copytree(ROOT / "company", tmp_path / "company")
    grant_only(tmp_path / "company/people.yaml", "call-center")
    return tmp_path


def change(root: Path, old: str, new: str) -> None:
    path = root / "products/call_center/product.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_an_own_port_is_written_by_the_product_alone(root):
    change(root, SYSTEM, OWN)

    project = load_project(root)
    staged = project.contract("call-center.finished-calls")
    writing = {
        (each.principal, each.kind)
        for each in rights_of(project)
        if each.name == staged.topic and each.operation == "WRITE"
    }

    assert project.writer_of(staged) == "call-center"
    assert writing == {("call-center", "topic"), ("call-center", "transaction")}


def test_an_erasure_looks_through_an_own_port_too(root):
    change(root, SYSTEM, OWN)

    project = load_project(root)

    topic = project.contract("call-center.finished-calls").topic
    assert topic in {each.topic for each in places_of(project)}


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (f"{OWN}\n      {SYSTEM}", "the product alone writes"),
        (OWN.replace("true", "'yes'"), "write true or false"),
    ],
)
def test_an_own_port_has_no_system_and_says_true(root, new, words):
    change(root, SYSTEM, new)

    with pytest.raises(InvalidFile, match=words):
        load_product(root / "products/call_center")
