"""The ladder on a real Kafka: one running product climbs to the top, and falls when it is stopped.

The clock is moved, the looks are real: after each step the product is asked at its door.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from mesh.control.access import access_app
from mesh.observe.status import ask_status
from mesh.ports.serve import Server
from mesh.testing import Backbone, open_workbench
from tests.catalogue import Catalogue, open_catalogue
from tests.events import event
from tests.life import Mesh, Started, opened, wait_until
from tests.repository import ROOT
from tests.stream import calls

pytestmark = pytest.mark.broker
PRODUCT, OWNER, READER = "call-center", "grace", "ada"
DAY_S, LOOK_S = 86_400, 870


@pytest.fixture(scope="module")
def catalogue(backbone: Backbone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """A catalogue whose clock may be moved, over one product; and who gives out tokens."""
    folder = tmp_path_factory.mktemp("ladder")
    with open_workbench(backbone, source=ROOT, folder=folder, products=[PRODUCT]) as bench:
        server = Server(access_app(bench.home), bench.home, "access", host="127.0.0.1", port=0)
        server.start()
        try:
            with open_catalogue(bench, is_movable=True) as found:
                yield found
        finally:
            server.stop()


@pytest.fixture(scope="module")
def mesh(catalogue: Catalogue) -> Iterator[Mesh]:
    """Commands on the same project."""
    bench = catalogue.bench
    settings = {**bench.backbone.environment(), "MESH_PROJECT": str(bench.root)}
    with opened(bench.home.path, **settings) as found:
        yield found


@contextmanager
def running(mesh: Mesh) -> Iterator[Started]:
    """The product as a process of its own, which nobody starts again."""
    found = mesh.start("run", PRODUCT)
    try:
        found.until_said("running")
        yield found
    finally:
        if found.process.poll() is None:
            found.end_by(signal.SIGTERM)


def ladder(catalogue: Catalogue) -> dict[str, Any]:
    found: dict[str, Any] = catalogue.ask("GET", f"/ladder/{PRODUCT}").json()
    return found


def rung(catalogue: Catalogue) -> str | None:
    return ladder(catalogue)["rung"]


def proofs(catalogue: Catalogue) -> dict[str, Any]:
    rungs = ladder(catalogue)["standing"]["rungs"]
    return {each["what"]: each for step in rungs for each in step["evidence"]}


def move(catalogue: Catalogue, by_s: float, every_s: float = LOOK_S) -> None:
    body = {"by_s": by_s, "every_s": every_s}
    catalogue.ask("POST", "/clock", OWNER, body).raise_for_status()


def deliver(catalogue: Catalogue, count: int, start: int) -> None:
    """More calls, until the product has taken them in."""
    bench = catalogue.bench
    bench.feed(PRODUCT, calls(count, start))
    address = bench.home.address(PRODUCT)
    assert address is not None
    rows = {"calls": start + count, "calls-masked": start + count}
    wait_until(lambda: (ask_status(address) or {}).get("rows") == rows)


def seen_rows(catalogue: Catalogue, count: int) -> bool:
    """Whether the catalogue has seen so many rows."""
    found = catalogue.ask("GET", f"/products/{PRODUCT}.json").json()["observed"]
    return bool(found and found["rows"].get("calls") == count)


def read_by_somebody(catalogue: Catalogue) -> None:
    """A run of somebody's own, told as any OpenLineage client does."""
    topic = catalogue.bench.contract("call-center.calls").topic
    told = event(topic, at=datetime.now(UTC).isoformat())
    catalogue.ask("POST", "/api/v1/lineage", READER, told).raise_for_status()


def test_a_running_product_climbs_rung_by_rung_to_the_top_and_falls_when_it_is_stopped(
    catalogue: Catalogue, mesh: Mesh
) -> None:
    wait_until(lambda: ladder(catalogue)["state"] == "absent")
    assert "deliver its data" in ladder(catalogue)["next_step"]
    with running(mesh):
        deliver(catalogue, 20, 0)
        wait_until(lambda: seen_rows(catalogue, 20))
        assert rung(catalogue) == "dump"
        deliver(catalogue, 20, 20)
        # Its owner has accepted the contract, and its rows keep it.
        wait_until(lambda: rung(catalogue) == "contracted")
        assert proofs(catalogue)["the contract's tests pass on the real data"]["is_met"]

        before = ladder(catalogue)
        catalogue.restart()
        wait_until(lambda: rung(catalogue) == "contracted")
        assert ladder(catalogue)["tests"] == before["tests"]
        assert proofs(catalogue)["its data came again"]["seen"] == "2 deliveries"

        move(catalogue, DAY_S)
        assert rung(catalogue) == "live"
        for day in range(1, 7):
            deliver(catalogue, 1, 39 + day)
            read_by_somebody(catalogue)
            move(catalogue, DAY_S)
        found = ladder(catalogue)
        assert found["rung"] == "certified", found
        assert READER in proofs(catalogue)["somebody reads it"]["seen"]
        deliver(catalogue, 1, 46)
        move(catalogue, 1)

    move(catalogue, 1)
    assert rung(catalogue) == "contracted"
    assert "absent" in proofs(catalogue)["it is inside its service level now"]["seen"]
    move(catalogue, 27 * 3600, every_s=27 * 3600)
    assert rung(catalogue) == "refreshed"
    move(catalogue, DAY_S, every_s=DAY_S)
    assert rung(catalogue) == "dump"


def test_a_drill_is_no_evidence_once_it_is_over(catalogue: Catalogue) -> None:
    catalogue.restart()
    wait_until(lambda: ladder(catalogue)["state"] == "absent")

    found = proofs(catalogue)
    assert found["it was inside its service level for 1 d"]["seen"] < "2"
    assert found["somebody reads it"]["seen"] == READER


def test_who_owns_nothing_moves_no_clock(catalogue: Catalogue) -> None:
    for principal, status in (("mallory", 403), ("ada", 403), ("", 401)):
        assert catalogue.ask("POST", "/clock", principal, {"by_s": 1}).status_code == status
    assert catalogue.ask("POST", "/clock", OWNER, {"by_s": -1}).status_code == 422
    assert catalogue.ask("POST", "/clock", OWNER, {"by_s": 9e5, "every_s": 1}).status_code == 422


def test_the_command_says_where_a_product_stands_and_why(mesh: Mesh) -> None:
    assert PRODUCT in mesh.run("ladder")
    said = mesh.run("ladder", PRODUCT)
    assert f"{PRODUCT} stands on " in said
    assert "next: " in said
    assert "there is no product nobody" in mesh.run("ladder", "nobody", code=2)
    assert "mesh: the catalogue" in mesh.run("ladder", "../products", code=2)


def test_what_is_observed_stands_among_the_catalogues_figures(catalogue: Catalogue) -> None:
    text = catalogue.ask("GET", "/metrics").text
    assert f'mesh_ladder_rung{{product="{PRODUCT}"}}' in text
    assert f'mesh_observed_up{{product="{PRODUCT}"}} 0.0' in text
    assert f'mesh_observed_test_broken{{port="calls",product="{PRODUCT}"}} 0.0' in text


def test_the_page_shows_the_rung_and_the_tests(catalogue: Catalogue) -> None:
    page = httpx.get(
        f"{catalogue.address}/products/{PRODUCT}", headers={"Accept": "text/html"}, trust_env=False
    ).text
    assert "Tests of the contracts on real data" in page
    assert "Next:" in page
