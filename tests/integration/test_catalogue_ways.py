"""Each way to a port's rows that a product's page shows works as it is pasted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest
import yaml

from catalog.pages.product import product_document
from catalog.shelf import Entry, Observed, Shelf
from mesh.contract.access import initial
from mesh.contract.lineage import declared_edges
from mesh.contract.project import load_project
from mesh.testing import open_workbench
from tests.life import ROOT, opened, wait_until

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def ways(backbone, tmp_path_factory):
    """The ways to `calls`, and a function that pastes one into a shell."""
    folder = tmp_path_factory.mktemp("ways")
    with open_workbench(backbone, source=ROOT, folder=folder, products=["call-center"]) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as mesh:
            mesh.run("up")
            mesh.run("feed", "call-center", "--calls", "100")
            wait_until(lambda: mesh.has_calls(100))
            address = json.loads((mesh.home / "run" / "call-center.json").read_text())["address"]
            shell = folder / "bin"
            shell.mkdir()
            for name, command in (("mesh", '-m mesh "$@"'), ("python3", '"$@"')):
                (shell / name).write_text(f"#!/bin/sh\nexec '{sys.executable}' {command}\n")
                (shell / name).chmod(0o755)
            environment = {**mesh.environment(), "PATH": f"{shell}{os.pathsep}{os.environ['PATH']}"}

            def paste(text):
                return subprocess.run(
                    ["bash", "-e", "-c", text], env=environment, cwd=folder, check=False,
                    capture_output=True, text=True, timeout=60,
                )  # fmt: skip

            project = load_project(bench.root)
            seen = Observed(observed_at=datetime.now(UTC), state="running", address=address)
            entry = Entry(product=project.product("call-center"), observed=seen)
            shelf = Shelf(
                project=project, entries={"call-center": entry}, edges=declared_edges(project)
            )
            port, _ = product_document(shelf, entry, {}, address)["ports"]  # and the masked one
            yield {each["name"]: each["text"] for each in port["ways"]}, paste


def test_every_way_is_tried_here(ways):
    assert set(ways[0]) == {"command", "http", "file", "kafka", "input"}


def test_the_command_shows_rows(ways):
    texts, paste = ways
    done = paste(texts["command"])

    assert done.returncode == 0, done.stderr
    assert "+1" in done.stdout


def test_the_file_has_every_row(ways, tmp_path):
    texts, paste = ways
    done = paste(f"cd {tmp_path}; {texts['file']}")

    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "calls.parquet").num_rows == 100


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: apt-get install curl")
def test_the_request_gets_rows(ways):
    texts, paste = ways
    done = paste(texts["http"])

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"]) == 5


def test_the_program_reads_messages_and_imports_nothing_of_the_mesh(ways):
    texts, paste = ways
    done = paste(texts["kafka"])

    assert "import mesh" not in texts["kafka"]
    assert "from mesh" not in texts["kafka"]
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert len(rows) == 5
    assert all("'call_id': UUID(" in row and "'phone_number': '+" in row for row in rows)


def test_the_lines_make_another_product_one_that_asks_and_reads_once_it_is_granted(ways, tmp_path):
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, tmp_path / name)
    descriptor = tmp_path / "products" / "billing" / "product.yaml"
    document = yaml.safe_load(descriptor.read_text())
    document["inputPorts"] += yaml.safe_load(ways[0]["input"])["inputPorts"]
    descriptor.write_text(yaml.safe_dump(document, sort_keys=False))

    project = load_project(tmp_path)
    contract = project.contract("call-center.calls")
    granted = replace(project, decided={(contract.id, "billing"): True})
    asked = [(each.port, each.state) for each in initial(project) if each.principal == "billing"]
    assert (contract.id, "requested") in asked
    assert "billing" not in project.readers_of(contract)
    assert "billing" in granted.readers_of(contract)
