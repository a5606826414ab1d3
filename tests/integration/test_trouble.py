"""What goes wrong while a mesh runs, or with what it has kept: nothing is lost."""

from __future__ import annotations

import json
import os

import pytest

from tests.life import Mesh, fill, mounted, opened, refusal, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def mesh(tmp_path, one_product):
    with opened(tmp_path / "home", MESH_PROJECT=one_product) as found:
        yield found


def test_a_product_that_cannot_start_stops_the_start_and_says_why(mesh: Mesh):
    storage = mesh.home / "products" / "call-center" / "storage.duckdb"
    storage.parent.mkdir(parents=True)
    storage.write_text("not a database")
    said = refusal(mesh)

    assert "call-center did not start" in said
    assert str(storage) in said
    assert "remove the file" in said


def test_a_product_that_cannot_start_again_is_tried_with_growing_pauses(mesh: Mesh):
    mesh.run("up")
    storage = mesh.home / "products" / "call-center" / "storage.duckdb"
    kept = storage.with_name("kept")
    storage.rename(kept)
    storage.write_text("not a database")
    os.kill(mesh.pids()["call-center"], 9)

    wait_until(lambda: mesh.service("call-center")["restarts"] >= 2)
    broken = wait_until(lambda: reason_of(mesh, "remove the file"))
    assert mesh.status()["state"] == "running"
    assert mesh.service("access")["state"] == "running"
    assert broken["state"] in ("restarting", "starting")
    assert mesh.service("call-center")["restarts"] <= 4

    kept.replace(storage)
    wait_until(lambda: mesh.service("call-center")["state"] == "running")


def reason_of(mesh: Mesh, part: str):
    """The product's status, once its reason says *part*."""
    service = mesh.service("call-center")
    return service if part in service["reason"] else None


@pytest.mark.long
def test_a_disk_that_fills_up_loses_nothing(tmp_path, one_product):
    for place in mounted(tmp_path, "size=120m"):
        with opened(place / "home", MESH_PROJECT=one_product) as mesh:
            mesh.run("up")
            mesh.run("feed", "call-center", "--calls", "100")
            wait_until(lambda: mesh.has_calls(100))
            filler = place / "filler"
            fill(filler)
            fed = mesh.result("feed", "call-center", "--calls", "20000")
            assert "Traceback" not in fed.stderr
            assert mesh.status()["state"] == "running"

            filler.unlink()
            wait_until(lambda: all(s["state"] == "running" for s in mesh.status()["services"]))
            mesh.run("feed", "call-center", "--calls", "20000")
            wait_until(lambda: mesh.has_calls(20_000), 120)
            rows = json.loads(mesh.result("read", "calls", "--limit", "1", "--json").stdout)
            assert len(rows["rows"]) == 1
            mesh.run("down")
