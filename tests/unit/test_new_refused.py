"""`mesh new`: what cannot be made is said, nothing is overwritten; and the command itself."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from click.testing import CliRunner

from mesh.cli.main import mesh
from mesh.contract.project import load_project
from mesh.errors import WrongUse
from mesh.product.new import Wish, create
from tests.made import PROJECT, assert_whole, file_of, made
from tests.repository import ROOT


@pytest.fixture
def root(tmp_path):
    """A folder that has room for products."""
    (tmp_path / "products").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("ports", "wish", "said"),
    [
        (["contracts.contracts"], {"name": "Signals"}, "kebab-case"),
        (["contracts.contracts"], {"name": "../up"}, "kebab-case"),
        (["contracts.contracts"], {"name": "billing"}, "is there already"),
        (["contracts.contracts"], {"name": "ada"}, "is there already"),
        (["contracts.contracts"], {"name": "crm"}, "is there already"),
        (["contracts.contracts"], {"name": "mesh-signals"}, "platform's own"),
        (["contracts.contracts"], {"name": "descriptor"}, "describes itself"),
        (["contracts.contracts"], {"domain": "Sales"}, "kebab-case"),
        (["contracts.contracts"], {"owner": "me"}, "no e-mail address"),
        (["contracts.contracts"], {"purpose": " "}, "one line of text"),
        (["contracts.contracts"], {"purpose": "a\x07b"}, "one line of text"),
        (["contracts.contracts"], {"by": "phone"}, "company's list"),
        (["contracts.contracts"], {"by": "call-id"}, "say one of them with --by"),
        (["contracts.contracts"], {"kind": "event"}, "--kind state"),
        (["call-center.calls", "billing.invoices"], {"kind": "event"}, "--kind state"),
        (["call-center.calls"] * 2, {}, "named twice"),
        (
            ["contracts.contracts", "call-center.calls"],
            {},
            "contracts has contract-number, person-id, household-id; call-center.calls has call-id,"
            " phone-number, agent-id; contracts.phone-number-contract links phone-number with",
        ),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(root, ports, wish, said):
    contracts = tuple(PROJECT.contract(each) for each in ports)
    wished = {"name": "signals", "domain": "marketing", "ports": contracts, **wish}
    with pytest.raises(WrongUse, match=re.escape(said)):
        create(root, PROJECT, Wish(**wished))

    assert list((root / "products").iterdir()) == []


@pytest.mark.parametrize("status", ["deprecated", "retired"])
@pytest.mark.parametrize("file", ["product.yaml", "contracts/calls.odcs.yaml"])
def test_a_port_that_is_going_is_not_read(tmp_path, status, file):
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "products" / "call_center" / file
    path.write_text(path.read_text().replace("status: active", f"status: {status}"))
    with pytest.raises(WrongUse, match=f"call-center.calls is {status}"):
        made(tmp_path, "call-center.calls", project=load_project(tmp_path))


def test_a_folder_that_is_there_stays_as_it_is(root):
    file_of(root, "").mkdir()
    file_of(root, "notes.txt").write_text("mine")
    with pytest.raises(WrongUse, match="is there already"):
        made(root, "contracts.contracts")

    assert [each.name for each in file_of(root, "").iterdir()] == ["notes.txt"]


def test_names_that_sql_reserves_are_quoted(root):
    for name in ("order", "table", "at"):
        assert_whole(made(root, "contracts.contracts", "billing.invoices", name=name)[1], name)


def test_a_product_may_be_called_as_the_port_that_it_reads(root):
    found, project = made(root, "billing.invoices", name="invoices")

    assert_whole(project, "invoices")
    assert [each.name for each in found.shape.sources] == ["billing-invoices"]


def test_the_command_says_what_it_made_and_what_is_next(tmp_path, monkeypatch):
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setenv("MESH_PROJECT", str(tmp_path))
    words = ["new", "bills", "--domain", "marketing", "--from", "contracts", "--from", "invoices"]
    done = CliRunner().invoke(mesh, [*words, "--json"], catch_exceptions=False)
    document = json.loads(done.output)

    assert document["by"] == "contract-number"
    assert document["cases"] == 2
    assert sorted(document["files"]) == sorted(
        str(each.relative_to(tmp_path / "products" / "bills"))
        for each in (tmp_path / "products" / "bills").rglob("*.*")
    )
    assert "mesh access grant billing.invoices --to bills --as katherine" in document["next"]
    for step in ("mesh test bills", "mesh product validate bills"):
        assert step in document["next"]
        assert CliRunner().invoke(mesh, step.split()[1:]).exit_code == 0
    assert "bills is there already" in str(CliRunner().invoke(mesh, words).exception)


def test_the_port_is_said_that_may_have_been_meant():
    words = ["new", "bills", "--domain", "marketing", "--from", "invoice"]

    assert "did you mean invoices?" in str(CliRunner().invoke(mesh, words).exception)
