"""Tests for `mesh contract` and `mesh product`: what they print and how they exit."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from mesh.cli.contract import contract
from mesh.cli.product import product
from mesh.errors import InvalidFile, WrongUse
from tests.people import grant_only

CALLS = "products/call_center/contracts/calls.odcs.yaml"


def run(group, *arguments, root=Path()):
    return CliRunner().invoke(group, arguments, obj=SimpleNamespace(project_root=root))


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(Path(CALLS).read_text().replace("value: P30D", "value: long"))
    return path


@pytest.fixture
def broken_root(tmp_path):
    """A project whose product breaks a policy, and no rule of a file."""
    shutil.copytree("products/call_center", tmp_path / "products/call_center")
    shutil.copytree("company", tmp_path / "company")
    grant_only(tmp_path / "company/people.yaml", "call-center")
    path = tmp_path / CALLS
    path.write_text(path.read_text().replace("value: phone-number", "value: phone-nr"))
    return tmp_path


def test_lint_accepts_all_that_ships():
    result = run(contract, "lint", "products")

    assert result.exit_code == 0
    assert result.output.endswith("contracts: 0 faults\n")


def test_lint_prints_a_fault_a_line_with_its_place(broken):
    result = run(contract, "lint", str(broken))

    line = next(
        i for i, one in enumerate(broken.read_text().splitlines(), 1) if "value: long" in one
    )
    assert result.exit_code == 1
    assert result.output.splitlines()[0].startswith(f"{broken}:{line}: retention is `long` (write")


def test_lint_prints_json(broken):
    result = run(contract, "lint", "--json", str(broken))

    printed = json.loads(result.output)
    assert (result.exit_code, printed["ok"], printed["files"]) == (1, False, 1)
    assert set(printed["findings"][0]) == {"file", "line", "level", "rule", "problem", "remedy"}


def test_lint_prints_a_warning_and_succeeds(tmp_path):
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(Path(CALLS).read_text().replace("property: access", "property: acess"))

    result = run(contract, "lint", str(path))

    assert result.exit_code == 0
    assert result.output.startswith("warning: ")


@pytest.mark.parametrize("text", ["a: [", "", "- a", "a: &a [*a]"])
def test_lint_of_bad_yaml_is_a_fault(tmp_path, text):
    path = tmp_path / "x.odcs.yaml"
    path.write_text(text)

    result = run(contract, "lint", str(path))

    assert (result.exit_code, str(path) in result.output) == (1, True)


def test_lint_of_nothing_is_wrong_use(tmp_path):
    assert isinstance(run(contract, "lint", str(tmp_path)).exception, WrongUse)
    assert isinstance(run(contract, "lint", str(tmp_path / "x")).exception, WrongUse)
    assert run(contract, "lint").exit_code == 2


def test_show_takes_an_id_or_a_path():
    by_id, by_path = (run(contract, "show", one).output for one in ("call-center.calls", CALLS))

    assert by_id == by_path
    assert "pub.customer-service.call-center.calls.v1" in by_id
    assert "phone_number" in by_id


def test_show_prints_json_with_the_avro_schema():
    printed = json.loads(run(contract, "show", "--json", "call-center.calls").output)

    assert printed["fields"][0]["key_position"] == 1
    assert printed["avro"]["type"] == "record"


def test_show_of_an_unknown_id_is_wrong_use():
    assert isinstance(run(contract, "show", "nope.nope").exception, WrongUse)


def test_show_of_a_broken_file_raises_its_faults_or_prints_them_as_json(broken):
    plain, as_json = (
        run(contract, "show", str(broken)),
        run(contract, "show", "--json", str(broken)),
    )

    assert isinstance(plain.exception, InvalidFile)
    assert (as_json.exit_code, json.loads(as_json.output)["ok"]) == (1, False)


def test_diff_of_a_breaking_change_fails(tmp_path):
    path = tmp_path / "calls.odcs.yaml"
    path.write_text(Path(CALLS).read_text().replace("          - value: sales\n", ""))

    result = run(contract, "diff", "call-center.calls", str(path))

    assert result.exit_code == 1
    assert "breaks  queue: rule queue.enum no longer allows sales" in result.output
    assert "make it 2.0.0" in result.output
    assert result.output.endswith("it is read by ada, customer-profile, grace, reports\n")


def test_diff_prints_json_and_succeeds_without_a_break():
    result = run(contract, "diff", "--json", "call-center.calls", CALLS)

    assert result.exit_code == 0
    assert json.loads(result.output)["changes"] == []


def test_validate_accepts_all_that_ships():
    result = run(product, "validate")

    assert (result.exit_code, result.output.splitlines()[-1][-10:]) == (0, ": 0 errors")


def test_validate_names_the_policy_with_its_place(broken_root):
    result = run(product, "validate", "call-center", root=broken_root)

    assert result.exit_code == 1
    assert "calls.odcs.yaml:" in result.output
    assert "phone-nr is not on the company's list of identifiers (did you mean" in result.output


def test_validate_prints_json(broken_root):
    result = run(product, "validate", "--json", root=broken_root)

    printed = json.loads(result.output)
    assert (result.exit_code, printed["ok"], printed["products"]) == (1, False, ["call-center"])
    assert "identifier-known" in [one["rule"] for one in printed["findings"]]


def test_validate_of_an_unknown_product_is_wrong_use():
    assert isinstance(run(product, "validate", "nope").exception, WrongUse)


def test_validate_of_a_broken_file_prints_its_faults_as_json(broken_root):
    (broken_root / "products/call_center/product.yaml").write_text("id: [")

    result = run(product, "validate", "--json", root=broken_root)

    assert (result.exit_code, json.loads(result.output)["findings"][0]["rule"]) == (1, "yaml")


@pytest.mark.parametrize("command", [*contract.commands.values(), *product.commands.values()])
def test_every_command_has_an_example(command):
    assert "Example: mesh " in command.help
