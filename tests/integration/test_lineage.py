"""Lineage of running products: what they are seen to read is what they say they read."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.contract.lineage import declared_edges
from mesh.contract.model import InputPort
from mesh.contract.observed import compared, differences, sightings
from mesh.contract.openlineage import event_faults
from mesh.contract.project import load_project
from mesh.testing import Workbench, open_workbench
from tests.life import ROOT, Mesh, opened, wait_until

pytestmark = pytest.mark.broker
PRODUCT = "call-center"


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    """A project with one product, on the session's Kafka."""
    folder = tmp_path_factory.mktemp("lineage")
    with open_workbench(backbone, source=ROOT, folder=folder, products=[PRODUCT]) as found:
        yield found


@pytest.fixture(scope="module")
def mesh(backbone, bench: Workbench):
    """Its mesh, up, with 100 calls."""
    settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
    with opened(bench.home.path, **settings) as found:
        found.run("up")
        found.run("feed", PRODUCT, "--calls", "100")
        wait_until(lambda: found.has_calls(100))
        yield found


def told(mesh: Mesh) -> list[dict[str, Any]]:
    """The events at the product's door."""
    address = json.loads((mesh.home / "run" / f"{PRODUCT}.json").read_text())["address"]
    found = httpx.get(f"{address}/observability/lineage").raise_for_status().json()
    assert found["product"] == PRODUCT
    events: list[dict[str, Any]] = found["events"]
    return events


def test_what_a_running_product_read_and_wrote_is_what_it_declares(bench: Workbench, mesh: Mesh):
    project = load_project(bench.root)
    events = told(mesh)
    assert [fault for each in events for fault in event_faults(each)] == []
    assert [each["eventType"] for each in events] == ["START", "RUNNING"]

    seen = [one for each in events for one in sightings(each, project, by=PRODUCT)]
    edges = compared(declared_edges(project), seen)
    assert {each.kind for each in edges} == {"both"}
    assert differences(edges, {PRODUCT}) == ()
    assert max(each.messages or 0 for each in seen) == 100
    (masked, written) = events[-1]["outputs"]  # in order of their topics
    assert written["name"] == project.contract("call-center.calls").topic
    assert masked["name"] == project.contract("call-center.calls-masked").topic
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 100
    assert (
        written["facets"]["columnLineage"]["fields"]["queue"]["inputFields"][0]["field"] == "queue"
    )


def test_the_command_asks_running_products(mesh: Mesh):
    """`./run mesh lineage --observed`, on this mesh."""
    assert "what was observed is what is declared" in mesh.run("lineage", "--observed")
    found = json.loads(mesh.run("lineage", "--observed", "--json"))
    assert [each["kind"] for each in found["edges"]] == ["both"]
    assert found["differences"] == []


def test_an_input_that_is_declared_and_never_read_is_flagged(bench: Workbench, mesh: Mesh):
    """The descriptor says more than the process that runs has ever read."""
    project = load_project(bench.root)
    product = project.product(PRODUCT)
    more = InputPort(name="own-calls", contract_id="call-center.calls")
    changed = replace(product, inputs=(*product.inputs, more))
    project = replace(project, products={PRODUCT: changed})
    seen = [one for each in told(mesh) for one in sightings(each, project, by=PRODUCT)]
    (flagged,) = differences(compared(declared_edges(project), seen), {PRODUCT})
    assert (flagged.source, flagged.what) == ("call-center.calls", "unobserved")


def test_an_input_that_is_read_and_not_declared_is_flagged(bench: Workbench, mesh: Mesh):
    """The process that runs was started before its input was taken out of the descriptor."""
    project = load_project(bench.root)
    seen = [one for each in told(mesh) for one in sightings(each, project, by=PRODUCT)]
    (flagged,) = differences(compared((), seen), {PRODUCT})
    assert (flagged.source, flagged.target) == ("call-center.finished-calls", PRODUCT)
    assert flagged.what == "undeclared"


def test_a_killed_run_is_ended_by_the_next_and_what_it_read_is_still_told(mesh: Mesh):
    before = told(mesh)[-1]["run"]["runId"]
    pid = mesh.pids()[PRODUCT]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: mesh.pids()[PRODUCT] not in (None, pid))
    wait_until(lambda: mesh.service(PRODUCT)["state"] == "running")
    events = told(mesh)
    assert [fault for each in events for fault in event_faults(each)] == []
    kinds = [(each["eventType"], each["run"]["runId"] == before) for each in events]
    assert kinds == [
        ("START", True),
        ("RUNNING", True),
        ("ABORT", True),
        ("START", False),
        ("RUNNING", False),
    ]
    assert events[2]["inputs"]
    assert events[-1]["inputs"] == []


def catalogue(mesh: Mesh, path: str, **arguments: Any) -> httpx.Response:
    """Ask the catalogue of the mesh."""
    address = json.loads((mesh.home / "run" / "catalogue.json").read_text())["address"]
    method = arguments.pop("method", "GET")
    return httpx.request(method, f"{address}{path}", timeout=10, **arguments)


def edges(mesh: Mesh) -> dict[tuple[str, str], str]:
    """What the catalogue says of every edge."""
    found = catalogue(mesh, "/api/v1/lineage").json()
    return {(each["source"], each["target"]): each["kind"] for each in found["edges"]}


def test_the_catalogue_hears_of_products_and_of_others_and_forgets_nothing(mesh: Mesh):
    declared = ("call-center.finished-calls", PRODUCT)
    wait_until(
        lambda: edges(mesh).get(declared) == "both",
        why=lambda: f"{edges(mesh)}\n{told(mesh)}\n{mesh.log('catalogue')}",
    )
    assert catalogue(mesh, "/api/v1/lineage").json()["differences"] == []

    told_by_ada = {**told(mesh)[-1], "outputs": []}
    topic = load_project(Path(mesh.settings["MESH_PROJECT"])).contract("call-center.calls").topic
    told_by_ada["inputs"] = [{"namespace": "kafka://elsewhere:9092", "name": topic}]
    headers = {"Authorization": f"Bearer {mesh.run('token', '--as', 'ada').strip()}"}
    sent = {"method": "POST", "json": told_by_ada, "headers": headers}
    assert catalogue(mesh, "/api/v1/lineage", **sent).status_code == 201

    def is_flagged() -> bool:
        (found,) = catalogue(mesh, "/api/v1/lineage").json()["differences"]
        return bool((found["target"], found["what"]) == ("ada", "undeclared"))

    figure = 'mesh_lineage_differences{reader="ada",what="undeclared"} 1.0'
    assert is_flagged()
    assert figure in catalogue(mesh, "/metrics").text

    pid = mesh.pids()["catalogue"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: mesh.pids().get("catalogue") not in (None, pid))
    wait_until(lambda: mesh.service("catalogue")["state"] == "running")
    assert is_flagged()
    assert edges(mesh)[declared] == "both"
