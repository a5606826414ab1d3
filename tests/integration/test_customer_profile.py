"""The unified view over running products: a change upstream is in it, and it can be made anew."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mesh.testing import Workbench, open_workbench
from tests.forgotten import ANNA, BEN, CHANGED, HIS, NUMBER, feed, link, plant
from tests.life import ROOT, Mesh, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

PROFILES, OWNER = "customer-profile.profiles", "florence"
Row = dict[str, Any]


@dataclass
class Scene:
    """A mesh with two people who had one number, one after the other."""

    mesh: Mesh
    bench: Workbench

    def rows(self) -> dict[tuple[str, str], Row]:
        """The port's rows over HTTP, by subject and role."""
        said = self.mesh.run("read", "profiles", "--json", "--limit", "100", "--as", OWNER)
        document = json.loads(said)
        found = [dict(zip(document["columns"], each, strict=True)) for each in document["rows"]]
        return {(each["subject_id"], each["role"]): each for each in found}

    def on_topic(self) -> dict[tuple[str, str], Any]:
        """What a reader of the topic keeps."""
        last = {}
        messages = self.bench.messages(self.bench.contract(PROFILES).topic)
        for message, row in zip(messages, self.bench.decoded(messages), strict=True):
            subject, role = json.loads(message.key())
            last[subject, role] = row
        return {key: row for key, row in last.items() if row is not None}


@pytest.fixture(scope="module")
def scene(backbone, tmp_path_factory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("profile")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as mesh:
            mesh.run("up")
            plant(bench)
            found = Scene(mesh, bench)
            wait_until(lambda: found.rows().get((ANNA, "user"), {}).get("count_calls") == 2)
            wait_until(lambda: found.rows().get((BEN, "user"), {}).get("count_calls") == 1)
            wait_until(lambda: found.rows().get((ANNA, "payer"), {}).get("open_amount") == "10.00")
            yield found


def until(scene: Scene, key: tuple[str, str], **wanted: object) -> float:
    """Wait until a row says *wanted*; how long it took."""
    began = time.monotonic()
    wait_until(lambda: scene.rows().get(key, {}).items() >= wanted.items())
    return time.monotonic() - began


def test_each_call_is_counted_for_whoever_used_the_number_when_it_began(scene):
    rows = scene.rows()

    assert rows[ANNA, "user"]["count_numbers"] == 0
    assert (
        rows[ANNA, "user"]["last_call_at"] < CHANGED.isoformat() < rows[BEN, "user"]["last_call_at"]
    )
    assert rows[BEN, "user"]["count_numbers"] == rows[BEN, "holder"]["count_numbers"] == 1
    assert {role for subject, role in rows if subject == ANNA} == {"holder", "user", "payer"}


def test_a_ported_number_and_a_paid_invoice_are_in_it_at_once(scene, record_property):
    later = CHANGED.replace(month=CHANGED.month + 1)
    feed(
        scene.bench, "contracts", "number-changes",
        {**link("n-2", CHANGED, later, phone_number=NUMBER, contract_number=HIS),
         "statement_id": "n-2-1", "revision": 2},
    )  # fmt: skip
    record_property("ported_s", until(scene, (BEN, "user"), count_numbers=0, count_calls=1))
    paid = {
        "payment_id": "Y-900000001", "invoice_id": "I-900000001",
        "billing_account_number": "B-900000001", "amount": 10, "currency": "USD",
    }  # fmt: skip
    feed(scene.bench, "billing", "received-payments", paid)
    record_property("paid_s", until(scene, (ANNA, "payer"), open_amount="0.00"))

    assert scene.rows()[ANNA, "payer"]["count_open_invoices"] == 0


def test_made_anew_without_its_storage_it_says_the_same_at_its_door_and_on_its_topic(scene):
    before, said = scene.rows(), scene.on_topic()
    count = len(scene.bench.messages(scene.bench.contract(PROFILES).topic))
    scene.mesh.run("down")
    shutil.rmtree(scene.bench.home.storage("customer-profile").parent)
    scene.mesh.run("up")
    wait_until(lambda: scene.mesh.service("customer-profile").get("lag") == 0)

    assert scene.rows() == before
    assert scene.on_topic() == said
    assert before.keys() == said.keys()
    assert len(scene.bench.messages(scene.bench.contract(PROFILES).topic)) == count
