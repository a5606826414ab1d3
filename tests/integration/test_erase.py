"""`mesh erase` in a whole mesh: nothing of the person is left anywhere, and all else is."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from mesh.testing import Workbench, open_workbench
from tests.compaction import eager
from tests.erasing import copies_of, on_topics
from tests.forgotten import ACCOUNT, ANNA, BEN, CALLS, HERS, HIS, NUMBER, age_out, plant
from tests.life import ROOT, Mesh, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

WORDS = (ANNA, HERS, ACCOUNT)
PLACES = ("role-changes.v1", "finished-calls.rejected.v1", "contract-user.v1",
          "links.v1", "profiles.v1")  # fmt: skip
REQUEST = "2026-17"
WHO = ("--identifier", f"phone:{NUMBER}", "--at", "2026-02-01", "--request", REQUEST)
ROLES = ("--role", "user", "--role", "holder", "--role", "payer")


@dataclass
class Scene:
    """What was there before the erasure, and what it said."""

    mesh: Mesh
    bench: Workbench
    before: dict[str, Any]
    planned: dict[str, Any]
    done: dict[str, Any]
    lowered: dict[str, str]
    folder: Path

    def topics(self, *words: str) -> dict[str, int]:
        """How many messages of each topic mention any of *words*."""
        return topics(self.bench, *words)


def topics(bench: Workbench, *words: str) -> dict[str, int]:
    backbone = bench.backbone
    client = backbone.endpoint.client(backbone.admin, backbone.admin_mechanism)
    domains = {each.domain for each in bench.project().products.values()}
    names = backbone.administrator().topic_partitions()
    ours = [each for each in names if {*each.split(".")[1:2]} & {*domains, "mesh"}]
    return dict(on_topics(client, ours, words))


@pytest.fixture(scope="module")
def scene(backbone, tmp_path_factory) -> Iterator[Scene]:
    """A mesh from which Anna is erased, by a request that is killed while Kafka compacts."""
    folder = tmp_path_factory.mktemp("erase")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as mesh:
            mesh.run("up")
            plant(bench)
            wait_until(lambda: len(rows(mesh, "contract-user")) == 2)
            wait_until(lambda: len(rows(mesh, CALLS)) == 3)
            wait_until(lambda: {*counted(mesh).items()} >= {(ANNA, 2), (BEN, 1)})
            wait_until(lambda: is_settled(mesh))
            age_out(bench)
            before = {
                "topics": topics(bench, *WORDS),
                "copies": copies_of(bench.home.path, folder / "before", WORDS),
                "calls": rows(mesh, CALLS),
                "proof": prove(mesh, folder / "before.tlog-proof"),
            }
            planned = erase(mesh, *WHO, *ROLES, "--dry-run")
            lowered = kill_while_compacting(mesh, bench)
            with eager(bench):
                done = erase(mesh, "--request", REQUEST, "--yes")
            yield Scene(mesh, bench, before, planned, done, lowered, folder)


def erase(mesh: Mesh, *arguments: str) -> dict[str, Any]:
    """What `mesh erase` says."""
    done = mesh.result("erase", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def rows(mesh: Mesh, port: str) -> list[dict[str, Any]]:
    """The rows of a port."""
    owner = {CALLS: "call-center", "profiles": "customer-profile"}.get(port, "contracts")
    document = json.loads(mesh.run("read", port, "--json", "--limit", "100", "--as", owner))
    return [dict(zip(document["columns"], each, strict=True)) for each in document["rows"]]


def counted(mesh: Mesh) -> dict[str, int]:
    """How many calls each user made, by the unified view."""
    found = {each["subject_id"]: each["count_calls"] for each in rows(mesh, "profiles")}
    return {subject: count for subject, count in found.items() if count is not None}


def is_settled(mesh: Mesh) -> bool:
    return all(each.get("lag", 0) == 0 for each in mesh.status()["services"])


def prove(mesh: Mesh, path: Path) -> tuple[str, str]:
    """A proof of Anna's first contract statement, and the checkpoint of its log."""
    where = ("contract-user", "0", "0")
    mesh.run("audit", "prove", *where, "--out", str(path), "--as", "contracts")
    return mesh.run("audit", "verify", str(path), "--log-key", key(mesh)), mesh.run(
        "audit", "checkpoint", *where[:2]
    )


def key(mesh: Mesh) -> str:
    return mesh.run("audit", "key").strip()


def kill_while_compacting(mesh: Mesh, bench: Workbench) -> dict[str, str]:
    """Kill the erasure while Kafka's cleaner, not yet eager, rests; what one topic has then."""
    begun = mesh.start("erase", *WHO, *ROLES, "--yes")
    wait_until(lambda: config(bench)["segment.ms"] == "50" or begun.process.poll() is not None)
    os.kill(begun.process.pid, signal.SIGKILL)
    begun.wait()
    return config(bench)


def config(bench: Workbench) -> dict[str, str]:
    """The settings that a topic of Anna's has of its own."""
    from confluent_kafka.admin import ConfigResource

    resource = ConfigResource(ConfigResource.Type.TOPIC, bench.contract(CALLS).topic)
    client = bench.backbone.administrator()._client
    (future,) = client.describe_configs([resource]).values()
    return {name: str(each.value) for name, each in future.result(10).items()}


def test_before_she_is_in_every_kind_of_place(scene):
    copies, found = scene.before["copies"], scene.before["topics"]

    assert any(name.endswith("storage.duckdb") for name in copies)
    assert any(name.endswith("/openings") for name in copies)
    assert any(name.startswith("sql/tables/") for name in copies)
    for part in PLACES:
        assert any(name.endswith(part) for name in found), part


def test_the_plan_says_what_is_erased_and_touches_nothing(scene):
    planned = {each["topic"]: each["messages"] for each in scene.planned["topics"]}

    assert scene.planned["state"] == "planned"
    assert scene.planned["person"] == ANNA
    assert set(scene.planned["identifiers"]) == {NUMBER, HERS, ACCOUNT}
    assert planned[scene.bench.contract(CALLS).topic] == 2


def test_no_topic_has_her_at_any_offset(scene):
    assert scene.topics(*WORDS) == {}


def test_no_storage_log_or_file_of_the_mesh_has_her(scene):
    assert copies_of(scene.bench.home.path, scene.folder / "after", WORDS) == {}


def test_of_the_number_that_changed_hands_all_is_there_of_who_has_it_now(scene):
    calls = rows(scene.mesh, CALLS)

    assert [each["phone_number"] for each in calls] == [NUMBER]
    assert calls[0] in scene.before["calls"]
    assert [each["to_id"] for each in rows(scene.mesh, "contract-user")] == [BEN]
    assert [each["contract_number"] for each in rows(scene.mesh, "contracts")] == [HIS]
    assert {each["subject_id"] for each in rows(scene.mesh, "profiles")} == {BEN}
    assert counted(scene.mesh) == {BEN: 1}
    found = scene.topics(BEN, HIS)
    for part in PLACES:
        assert any(name.endswith(part) for name in found), part


def test_the_key_ring_leads_to_nobody_where_she_was_and_to_who_has_the_number_now(scene):
    asked = ("keyring", "resolve", "--from", f"phone:{NUMBER}", "--to", "person", "--role", "user")

    assert "not known" in scene.mesh.run(*asked, "--at", "2026-02-01")
    assert BEN in scene.mesh.run(*asked, "--at", "2026-04-01")


def test_all_that_was_proven_is_proven_still_and_her_entry_says_that_it_was_erased(scene):
    said, checkpoint = scene.before["proof"]
    old = scene.folder / "old.checkpoint"
    old.write_text(checkpoint)
    now, _ = prove(scene.mesh, scene.folder / "after.tlog-proof")

    assert ANNA in said
    assert ANNA not in now
    assert "erased" in now
    found = scene.mesh.run("audit", "consistency", str(old), "--log-key", key(scene.mesh))
    assert "begins with" in found or "consistent" in found


def test_the_live_topics_are_as_they_were_signed_but_for_what_the_erasure_took(scene):
    said = scene.mesh.run("audit", "verify", "--live")

    assert "of them erased: nothing is missing or altered" in said


def test_killed_in_the_middle_the_same_request_went_on_and_put_the_settings_back(scene):
    assert scene.lowered["segment.ms"] == "50"
    assert scene.done["state"] == "erased"
    assert scene.done["left"] == {}
    after = config(scene.bench)
    assert (after["segment.ms"], after["min.cleanable.dirty.ratio"]) == ("604800000", "0.5")
    assert not (scene.bench.home.path / "erasures" / f"{REQUEST}.json").exists()


def test_the_mesh_says_how_much_was_erased_and_by_which_request_and_does_it_once(scene):
    again = erase(scene.mesh, *WHO, *ROLES, "--yes")

    assert (again["state"], again["request"]) == ("erased before", REQUEST)
    counts = {each["topic"]: each["messages"] for each in again["topics"]}
    assert counts[scene.bench.contract(CALLS).topic] >= 2
    assert scene.topics(REQUEST).keys() == {"pub.mesh.audit.erasures.v1"}


def test_nobody_else_has_openings_destroyed_or_a_storage_rewritten(scene):
    for service, path in (("audit", "erasures"), ("call-center", "control/rewrite")):
        address = json.loads((scene.mesh.home / "run" / f"{service}.json").read_text())["address"]
        token = scene.mesh.run("token", "--as", "ada", "--for", service).strip()
        body = {"request": "x", "whose": {}}
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{address}/{path}"

        assert httpx.post(url, json=body, headers=headers, trust_env=False).status_code == 403
        assert httpx.post(url, json=body, trust_env=False).status_code in (401, 403)


def test_whoever_leads_to_nobody_is_not_guessed(scene):
    other = ("--identifier", f"phone:{NUMBER}", "--request", "2026-18", "--role", "user")

    assert "to nobody" in scene.mesh.run("erase", *other, "--at", "2020-01-01", "--yes", code=1)
    scene.mesh.run("erase", "--request", "2026-18", "--yes", code=2)
    scene.mesh.run("erase", *other, "--role", "friend", "--yes", code=2)
    named = ("--identifier", f"person:{BEN}", "--role", "user", "--request", f"of-{BEN}")
    assert "published" in scene.mesh.run("erase", *named, "--yes", code=2)
    scene.mesh.run("erase", *other[:2], "--request", "../x", "--role", "user", "--yes", code=2)
