"""What `mesh new` makes runs on a real Kafka as it was made, and publishes."""

from __future__ import annotations

import shutil

import pytest

from mesh.contract.project import load_project
from mesh.product.new import Wish, create
from mesh.testing import open_workbench
from tests.people import free
from tests.repository import ROOT
from tests.stats import CENTER, compacted, expected, feed, few, run

pytestmark = [pytest.mark.broker, pytest.mark.slow]


def test_a_state_port_and_an_event_port_that_were_made_publish_what_they_say(backbone, tmp_path):
    source = tmp_path / "source"
    for name in ("products", "company"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    free(source / "products" / "call_center" / "contracts" / "calls.odcs.yaml")
    for name, kind in (("callers", "state"), ("waits", "event")):
        project = load_project(source)
        ports = (project.contract("call-center.calls"),)
        create(source, project, Wish(name=name, domain="marketing", ports=ports, kind=kind))
    made = (CENTER, "callers", "waits")
    with open_workbench(backbone, source=source, folder=tmp_path, products=made) as bench:
        feed(bench, 20)
        run(bench, "callers", 20)
        run(bench, "waits", 20)
        callers, waits = (compacted(bench, f"{name}.{name}") for name in made[1:])

    assert {key: row["count_calls"] for key, row in callers.items()} == expected(few(20))
    assert len(waits) == 20
    assert {"phone_number", "agent_id", "reason"}.isdisjoint(next(iter(waits.values())))
