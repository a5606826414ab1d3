"""What a contract must say that its port is published by day, and how a run is asked for."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from mesh.cli.main import mesh
from mesh.contract.odcs import check_contract
from mesh.contract.project import load_project
from mesh.contract.yamlfile import parse_yaml
from mesh.errors import SettingsError, WrongUse
from mesh.testing.copies import copy_project
from mesh.wiring.runs import own_run
from tests.repository import ROOT

TEXT = (ROOT / "products/network_usage/contracts/usage.odcs.yaml").read_text("utf-8")


def faults(text: str) -> list[str]:
    """What is wrong with a contract."""
    found = check_contract(parse_yaml(text.encode(), Path("usage.odcs.yaml")))
    return [str(each) for each in found.faults]


def test_a_port_by_day_is_kept_for_a_time():
    found = check_contract(parse_yaml(TEXT.encode(), Path("usage.odcs.yaml"))).contract

    assert found is not None
    assert (found.day_field, found.retention_ms) == ("day", 90 * 86_400_000)
    assert not found.is_streamed


def test_a_batch_port_that_is_delivered_whole_is_not_kept_for_a_time():
    (fault,) = faults(TEXT.replace("        partitioned: true\n", ""))

    assert "keeps every delivery" in fault


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("logicalType: date\n", "logicalType: date\n"),
        ("      - name: cell\n", "      - name: cell\n        partitioned: true\n"),
        ("logicalType: date\n", "logicalType: string\n"),
    ],
    ids=["as it ships", "two fields", "a text"],
)
def test_a_batch_port_is_partitioned_by_one_day(old, new):
    assert old in TEXT
    found = [each for each in faults(TEXT.replace(old, new, 1)) if "by one day" in each]

    assert bool(found) == (old != new)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["call-center", "--as-of", "2026-01-01"], "is no batch product"),
        (["network-usage", "--as-of", "yesterday"], "is no day"),
        (["network-usage", "--as-of", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d}"],
         "has not come yet"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_is_refused(arguments, why, tmp_path, monkeypatch):
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MESH_PROJECT", str(ROOT))

    done = CliRunner().invoke(mesh, ["run-batch", *arguments])

    assert isinstance(done.exception, WrongUse)
    assert why in str(done.exception)


def test_a_run_that_cannot_be_loaded_names_its_file(tmp_path):
    copy_project(ROOT, tmp_path / "project", "x", ["network-usage"])
    path = tmp_path / "project" / "products" / "network_usage" / "batch.py"
    path.write_text("import nothing_of_that_name\n")

    product = load_project(tmp_path / "project").product("network-usage")

    with pytest.raises(SettingsError, match=r"batch\.py cannot be loaded"):
        own_run(product)
    for each in [each for each in sys.modules if each.startswith("products.network_usage")]:
        del sys.modules[each]
