"""The doors of a running product: rows over HTTP, management ports, pausing, and who may."""

from __future__ import annotations

import json
import os
import shutil
import signal

import httpx
import pyarrow.parquet as pq
import pytest

from mesh.testing import open_workbench
from tests.life import ROOT, Mesh, opened, wait_until
from tests.stream import PRODUCT, assert_each_once, calls, published

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def mesh(backbone, tmp_path_factory):
    """A mesh on the session's Kafka, up, with 100 calls."""
    folder = tmp_path_factory.mktemp("doors")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as found:
            found.run("up")
            found.run("feed", "call-center", "--calls", "100")
            wait_until(lambda: found.has_calls(100))
            yield found


def address(mesh: Mesh) -> str:
    return str(json.loads((mesh.home / "run" / "call-center.json").read_text())["address"])


def ask(mesh: Mesh, path: str, name: str = "ada", method: str = "GET", **arguments):
    token = mesh.run("token", "--as", name).strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{address(mesh)}{path}", headers=headers, **arguments)


def test_rows_are_read_in_every_way(mesh: Mesh, tmp_path):
    whole = json.loads(mesh.run("read", "calls", "--all", "--json", "--as", "ada"))
    columns = whole["columns"]
    queue = columns.index("queue")
    billing = {row[0] for row in whole["rows"] if row[queue] == "billing"}
    assert len(whole["rows"]) == 100
    assert 0 < len(billing) < 100

    question = ("read", "calls", "--as", "ada", "--where", "queue=billing", "--limit", "100")
    assert {row[0] for row in json.loads(mesh.run(*question, "--json"))["rows"]} == billing
    lines = mesh.result(*question, "--fields", "call_id", "--format", "csv").stdout.splitlines()
    assert {line.strip('"') for line in lines[1:]} == billing
    mesh.run(*question, "--out", str(tmp_path / "x.parquet"))
    assert set(pq.read_table(tmp_path / "x.parquet")["call_id"].to_pylist()) == billing
    one = ask(mesh, f"/ports/calls/rows/{whole['rows'][0][0]}").json()["rows"]
    assert one == [whole["rows"][0]]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--where", "quue=billing"), 2, "did you mean queue?"),
        (("--where", "duration_s.gt=long"), 2, "is not a whole number of 64 bits"),
        (("--where", "nothing"), 2, "is no filter"),
        (("--format", "parquet"), 2, "--out FILE"),
        (("--out", "x.txt"), 2, "does not say a format"),
        (("--out", "/nowhere/x.csv"), 1, "cannot be written"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_told_in_one_line(mesh: Mesh, arguments, code, says):
    done = mesh.result("read", "calls", "--as", "ada", *arguments)

    assert done.returncode == code
    assert done.stderr.count("\n") == 1
    assert says in done.stderr


def test_the_product_describes_itself(mesh: Mesh):
    with httpx.Client(base_url=address(mesh)) as client:
        found = client.get("/discoverability").json()
        dictionary = client.get("/dictionary")
        metrics = client.get("/metrics").text
    fields = {each["name"]: each for each in dictionary.json()["ports"][0]["fields"]}

    assert found["descriptor"]["id"] == "call-center"
    assert set(found["contracts"]) == {
        "call-center.calls",
        "call-center.calls-masked",
        "call-center.finished-calls",
    }
    assert fields["phone_number"]["is_masked"] is True
    assert fields["phone_number"]["identifier_description"]
    assert 'mesh_port_rows{port="calls",product="call-center"} 100.0' in metrics
    assert "+1" not in dictionary.text


def test_a_paused_product_rests_through_a_kill_and_goes_on_where_it_was(mesh: Mesh):
    said = mesh.run("pause", "call-center", "--reason", "a try", "--as", "grace")
    assert said.startswith("call-center is paused, by grace at 20")
    assert said.endswith(": a try\n")
    mesh.run("feed", "call-center", "--calls", "150")
    wait_until(lambda: mesh.service("call-center")["lag"] >= 50)

    pid = mesh.pids()["call-center"]
    mesh.run("pause", "call-center", "--as", "call-center")  # who was first stays
    httpx.get(f"{address(mesh)}/status").raise_for_status()
    kill(pid)
    wait_until(lambda: mesh.pids()["call-center"] not in (None, pid))
    status = wait_until(lambda: is_paused(mesh))
    assert "by grace at 20" in status["reason"]
    wait_until(lambda: mesh.service("call-center")["lag"] >= 50)
    assert mesh.service("call-center")["rows"]["calls"] == 100
    assert (
        len(json.loads(mesh.run("read", "calls", "--all", "--json", "--as", "ada"))["rows"]) == 100
    )
    assert "mesh_product_paused" in httpx.get(f"{address(mesh)}/metrics").text

    assert "goes on; it was paused by grace" in mesh.run("resume", "call-center")
    wait_until(lambda: mesh.has_calls(150))
    assert mesh.service("call-center")["state"] == "running"
    assert mesh.run("resume", "call-center") == "call-center was not paused\n"


def is_paused(mesh: Mesh):
    found = mesh.service("call-center")
    return found if found["state"] == "paused" else None


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_only_owners_and_the_product_itself_pause_it(mesh: Mesh):
    for name in ("ada", "mallory", "telephony"):
        said = mesh.run("pause", "call-center", "--as", name, code=1)
        assert f"{name} does not own call-center" in said
    assert mesh.service("call-center")["state"] == "running"


@pytest.mark.slow
def test_a_mesh_with_a_paused_product_stops_and_starts(mesh: Mesh):
    document = json.loads(mesh.run("pause", "call-center", "--json"))
    assert (document["state"], document["paused"]["by"]) == ("paused", "grace")
    mesh.run("down")
    mesh.run("up")
    assert is_paused(mesh)

    assert json.loads(mesh.run("resume", "call-center", "--json"))["ended"]["by"] == "grace"
    wait_until(lambda: mesh.service("call-center")["state"] == "running")


def test_a_product_runs_where_the_key_that_signs_tokens_is_not(mesh: Mesh):
    """So none can make a token: it holds its own secret, and the key by which they are checked."""
    token = mesh.run("token", "--as", "ada").strip()
    mesh.run("down")
    shutil.rmtree(mesh.home / "access")
    started = mesh.start("run", "call-center")
    started.until_said("running")

    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{address(mesh)}/ports/calls/rows", headers=headers)
    assert answer.status_code == 200
    assert started.end_by(signal.SIGTERM) == 0


def test_nothing_is_published_by_a_product_that_rests_and_all_once_after_it(workbench):
    """Paused before it started, between two batches, and after a failure."""
    workbench.feed(PRODUCT, calls(30))
    with workbench.running(PRODUCT) as runtime:
        runtime.pause.pause("grace")
        for _ in range(5):
            assert runtime.step(0.05) == 0
        assert (runtime.progress.state, runtime.progress.lag >= 30) == ("paused", True)
        assert published(workbench) == []
        runtime.pause.resume()
        workbench.settle(runtime, 30)
        runtime.pause.pause("grace")
        assert runtime.step(0.05) == 0
        workbench.feed(PRODUCT, calls(70))
        wait_until(lambda: runtime.step(0.2) == 0 and runtime.progress.lag >= 40)
        assert len(published(workbench)) == 30
        runtime.pause.resume()
        workbench.settle(runtime, 40)
        assert runtime.progress.state == "running"
    assert_each_once(workbench, 70)
