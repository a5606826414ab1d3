"""The audit service of a running mesh: what anybody may check over HTTP, and what a grant opens."""

from __future__ import annotations

import base64
import json
import re
import shlex

import httpx
import pytest

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.entry import ENTRY_BYTES
from mesh.audit.merkle import is_consistent
from mesh.audit.note import LogKey
from mesh.audit.proof import Proof, verified
from mesh.testing import open_workbench
from tests.audit import go_or_skip_reason, ran_stranger
from tests.life import ROOT, Mesh, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

CALLS = 300


@pytest.fixture(scope="module")
def mesh(backbone, tmp_path_factory):
    """A mesh on the session's Kafka, up, with calls that are logged."""
    folder = tmp_path_factory.mktemp("audit")
    with open_workbench(backbone, source=ROOT, folder=folder) as bench:
        settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
        with opened(bench.home.path, **settings) as found:
            found.run("up")
            found.run("feed", "call-center", "--calls", str(CALLS))
            found.run("feed", "contracts", "--records", "2000")
            wait_until(lambda: sum(each["entries"] for each in logs_of_calls(found)) == CALLS)
            yield found


def get(mesh: Mesh, path: str, name: str | None = None) -> httpx.Response:
    document = json.loads((mesh.home / "run" / "audit.json").read_text())
    headers = {"Authorization": f"Bearer {mesh.run('token', '--as', name).strip()}"} if name else {}
    return httpx.get(f"{document['address']}{path}", headers=headers, trust_env=False, timeout=20)


def logs_of_calls(mesh: Mesh):
    return [each for each in get(mesh, "/logs").json() if ".call-center.calls." in each["topic"]]


@pytest.fixture
def log(mesh):
    """The longest log of calls."""
    return max(logs_of_calls(mesh), key=lambda each: each["entries"])


def test_it_says_how_far_it_is(mesh):
    wait_until(lambda: mesh.service("audit")["lag"] == 0)
    found = mesh.service("audit")

    assert found["state"] == "running"
    assert found["rows"]["entries"] > CALLS  # the mesh's own topics are logged too
    assert {each["state"] for each in get(mesh, "/logs").json()} >= {"following"}


def test_the_mesh_keeps_a_log_of_its_schemas_and_of_what_was_accepted(mesh):
    wait_until(lambda: get(mesh, "/status").json()["lag"] == 0)
    topics = {each["topic"]: each for each in get(mesh, "/logs").json()}

    for name in ("pub.mesh.registry.schemas.v1", "pub.mesh.catalogue.products.v1"):
        assert topics[name]["entries"] > 0
        path = f"{topics[name]['path']}/proof/{topics[name]['last_offset']}"
        entry = verified(get(mesh, path).text, LogKey.parse(topics[name]["key"])).entry
        assert entry.kind == "salted"


def test_checkpoint_tiles_and_entries_are_anybodys_and_hide_what_was_said(mesh, log):
    note = get(mesh, f"{log['path']}/checkpoint")
    checkpoint = Checkpoint.opened(note.text, LogKey.parse(get(mesh, "/key").text))
    width = min(256, checkpoint.size)
    part = "" if width == 256 else f".p/{width}"
    tile = get(mesh, f"{log['path']}/tile/0/000{part}")
    bundle = get(mesh, f"{log['path']}/tile/entries/000{part}")

    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.size == log["entries"]
    assert (len(tile.content), len(bundle.content)) == (32 * width, (2 + ENTRY_BYTES) * width)
    assert "immutable" in tile.headers["cache-control"]
    for path in ("tile/0/001.p/999", "tile/0/999", "tile/9/000", "tile/entries/999", "tile/x"):
        assert get(mesh, f"{log['path']}/{path}").status_code == 404
    assert get(mesh, "/logs/pub.x/AAAAAAAAAAAAAAAAAAAAAA/0/checkpoint").status_code == 404


def test_a_message_is_opened_for_whoever_is_granted_its_topic_alone(mesh, log):
    path = f"{log['path']}/proof/{log['last_offset']}".removeprefix("/logs")
    key = LogKey.parse(log["key"])
    closed = get(mesh, f"/logs{path}").text
    opened_ = get(mesh, f"/opened{path}", "ada").text

    assert verified(closed, key).message is None
    assert verified(opened_, key).message.value is not None
    assert Proof.parse(closed).entry == Proof.parse(opened_).entry
    assert get(mesh, f"/opened{path}").status_code in (401, 403)
    assert get(mesh, f"/opened{path}", "billing").status_code == 403
    assert get(mesh, f"/logs{path}9").status_code == 404
    openings = f"/opened{log['path'].removeprefix('/logs')}/openings/000.p/1"
    assert len(get(mesh, openings, "ada").json()["openings"]) == 1
    assert get(mesh, openings, "billing").status_code == 403


def test_consistency_is_proven_between_any_two_sizes_but_zero(mesh, log):
    size, key = log["entries"], LogKey.parse(log["key"])
    new = Checkpoint.opened(get(mesh, f"{log['path']}/checkpoint").text, key)
    found = get(mesh, f"{log['path']}/consistency/{size // 2}/{size}").json()
    proof = [base64.b64decode(each) for each in found["proof"]]

    assert not is_consistent(size // 2, size, proof=proof, old_root=bytes(32), new_root=new.root)
    assert get(mesh, f"{log['path']}/consistency/{size}/{size}").json()["proof"] == []
    for pair in (f"0/{size}", f"{size}/1", f"1/{size + 1}"):
        assert get(mesh, f"{log['path']}/consistency/{pair}").status_code == 422


def test_the_state_at_now_is_what_the_product_has(mesh):
    def rows(*command: str):
        document = json.loads(mesh.run(*command, "--json", "--as", "ada"))
        return sorted(document["rows"]), document["offsets"]

    wait_until(lambda: mesh.service("contracts")["lag"] == mesh.service("audit")["lag"] == 0)
    found, offsets = wait_until(lambda: rows("audit", "state", "contracts"))
    (then,) = offsets.values()
    at = ",".join(f"{partition}:{offset}" for partition, offset in then.items())

    assert found == rows("read", "contracts", "--all")[0]
    assert rows("audit", "state", "contracts", "--at", at)[0] == found
    assert rows("audit", "state", "contracts", "--at", "2020-01-01T00:00:00Z")[0] == []
    changes = json.loads(mesh.run("audit", "diff", "contracts", "--from", "2020-01-01", "--json"))
    assert len(changes["changes"]) == len(found)
    mesh.run("audit", "state", "contracts", "--at", "nonsense", code=2)
    mesh.run("audit", "state", "contracts", "--as", "billing", "--json", code=1)


def test_the_history_of_a_key_says_what_was_changed_when_and_by_whom(mesh):
    its = [each for each in get(mesh, "/logs").json() if ".contracts.contracts." in each["topic"]]
    count = str(sum(each["entries"] for each in its))
    since = ("--since", "2020-01-01", "--count", count)
    watched = mesh.run("audit", "watch", "contracts", *since, "--json")
    key = next(each["key"] for each in map(json.loads, watched.splitlines())
               if each["change"] == "changed")  # fmt: skip
    changes = json.loads(mesh.run("audit", "history", "contracts", key, "--json"))["changes"]

    assert [each["change"] for each in changes][:2] == ["created", "changed"]
    assert {each["writer"] for each in changes} == {"contracts"}
    assert changes[1]["before"] == changes[0]["after"] != changes[1]["after"]
    assert changes[1]["fields"]
    assert key in str(changes[-1]["after"])
    assert "created" in mesh.run("audit", "history", "contracts", key)


def test_a_proof_is_checked_without_a_mesh(mesh, log, tmp_path):
    path, key = tmp_path / "call.tlog-proof", tmp_path / "mesh.key"
    key.write_text(mesh.run("audit", "key"))
    place = ("calls", str(log["partition"]), str(log["last_offset"]))
    mesh.run("audit", "prove", *place, "--out", str(path))
    alone = Mesh(tmp_path / "none", {"MESH_PROJECT": str(tmp_path)})
    proven = alone.run("audit", "verify", str(path), "--log-key", str(key))
    document = json.loads(
        alone.run("audit", "verify", str(path), "--log-key", log["key"], "--json")
    )
    text = path.read_text()
    path.write_text(text.replace("index ", "index 1", 1))

    assert f"proven: offset {log['last_offset']} of {log['topic']}" in proven
    assert (document["ok"], document["offset"]) == (True, log["last_offset"])
    assert "was altered" in alone.run("audit", "verify", str(path), "--log-key", str(key), code=1)
    other = log["key"].replace("+", "x+", 1)
    alone.run("audit", "verify", str(path), "--log-key", other, code=2)
    assert not (tmp_path / "none").exists()


def test_a_log_is_shown_to_have_only_grown_since_a_checkpoint(mesh, log, tmp_path):
    old, key = tmp_path / "old", tmp_path / "mesh.key"
    key.write_text(mesh.run("audit", "key"))
    old.write_text(mesh.run("audit", "checkpoint", "calls", str(log["partition"])))
    mesh.run("feed", "call-center", "--calls", str(2 * CALLS))
    wait_until(lambda: sum(each["entries"] for each in logs_of_calls(mesh)) == 2 * CALLS)
    new = tmp_path / "new"
    new.write_text(mesh.run("audit", "checkpoint", "calls", str(log["partition"])))
    said = mesh.run("audit", "consistency", str(old), "--log-key", str(key))

    assert f"the log of {log['entries']} entries is the beginning of" in said
    mesh.run("audit", "consistency", str(old), str(new), "--log-key", str(key))
    backwards = ("audit", "consistency", str(new), str(old), "--log-key", str(key))
    assert "its tail was dropped" in mesh.run(*backwards, code=1)
    old.write_text(old.read_text().replace(f"\n{log['entries']}\n", "\n1\n"))
    mesh.run("audit", "consistency", str(old), "--log-key", str(key), code=1)


def test_the_catalogue_shows_when_calls_changed_with_proofs_and_nobodys_number(mesh):
    address = json.loads((mesh.home / "run" / "catalogue.json").read_text())["address"]
    with httpx.Client(base_url=address, trust_env=False, timeout=20) as client:
        page = client.get("/products/call-center/changes/calls?format=html").text
        document = client.get("/products/call-center/changes/calls").json()
        proof = client.get(document["changes"][0]["proof"]).text
        logs = client.get("/audit").json()
    newest = get(mesh, "/newest/call-center.calls?last=3", "ada").json()["changes"]
    command = document["command"].replace("KEY", newest[0]["key"])
    said = mesh.run(*shlex.split(command)[1:])

    assert len(document["changes"]) == 20
    assert logs["count"] == len(get(mesh, "/logs").json())
    entry = verified(proof, LogKey.parse(logs["key"])).entry
    assert entry.offset == document["changes"][0]["offset"]
    assert re.search(r"\+1\d{10}", page + str(document)) is None
    assert f" {newest[0]['offset']}" in said
    assert get(mesh, "/newest/call-center.calls", "mesh-catalogue").status_code == 403
    assert [each["offset"] for each in newest] == [
        each["offset"] for each in document["changes"][:3]
    ]


def test_the_commands_speak_of_logs_that_are_there(mesh):
    listed = json.loads(mesh.run("audit", "logs", "--json"))

    assert {each["topic"] for each in listed} >= {"pub.mesh.registry.schemas.v1"}
    assert "pub.mesh.registry.schemas.v1" in mesh.run("audit", "logs")
    assert "its partitions are 0, 1, 2, 3" in mesh.run("audit", "checkpoint", "calls", "9", code=2)
    assert "no entry of offset 999999" in mesh.run("audit", "prove", "calls", "0", "999999", code=1)
    mesh.run("audit", "prove", "pub.mesh.registry.schemas.v1", "0", "0")


@pytest.mark.network
def test_strangers_check_the_running_service(mesh, log, tmp_path):
    reason = go_or_skip_reason()
    if reason is not None:
        pytest.skip(reason)
    address = json.loads((mesh.home / "run" / "audit.json").read_text())["address"]
    path = tmp_path / "last.tlog-proof"
    its = f"{log['path']}/proof/{log['last_offset']}".removeprefix("/logs")
    path.write_text(get(mesh, f"/opened{its}", "ada").text)
    ran = ran_stranger(tmp_path / "strangers", "check", f"{address}{log['path']}", log["key"], path)

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [
        f"checkpoint {log['entries']}",
        f"tiles {log['entries']}",
        f"entries {log['entries']}",
        f"proof {log['entries'] - 1}",
    ]
