"""The key ring of a running mesh: asked by command, over HTTP, and by the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import duckdb
import httpx
import pyarrow as pa
import pytest

from company.vast2008 import CHANGED, CHANGED_AT, phone_persons
from mesh.testing import open_workbench
from tests.joins import imports_of
from tests.life import ROOT, Mesh, opened, wait_until
from tests.relations import domain_of, state, statement, write_relation

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SIM, OTHER_SIM = "8931440000000000018", "8931440000000000026"
DEVICES = ("490154203237518", "490154203237526")
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
IN_FEBRUARY, IN_MARCH = "2026-02-10", "2026-03-10"
LINKS = 6 + phone_persons().num_rows
CALLS = ROOT.parent / "shared" / "data" / "vast2008-cell-calls.csv"


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    """A project in which the network says which SIM was in which device, and who keeps that."""
    folder = tmp_path_factory.mktemp("ring")
    some = ["call-center", "key-ring"]
    with open_workbench(backbone, source=ROOT, folder=folder, products=some) as bench:
        domain = domain_of(bench, "network")
        for port, other in (("sim-device", "device-id"), ("device-keeper", "person-id")):
            one = "sim-id" if port == "sim-device" else "device-id"
            kind = "many-to-one" if port == "sim-device" else "many-to-many"
            write_relation(bench.root, f"test-network.{port}", (one, other), kind, domain)
        bench.provision()
        devices, keepers = (
            bench.contract(f"test-network.{p}") for p in ("sim-device", "device-keeper")
        )
        state(
            bench, devices,
            statement("l1", SIM, DEVICES[0], valid_to=MARCH),
            statement("l2", SIM, DEVICES[1], valid_from=MARCH),
            # It contradicts the first, and changes no answer.
            statement("l3", SIM, DEVICES[1], valid_to=MARCH),
        )  # fmt: skip
        state(
            bench, keepers,
            statement("k1", DEVICES[0], "P-000001"),
            statement("k2", DEVICES[1], "P-000001"),
            statement("k3", DEVICES[1], "P-000002"),
        )  # fmt: skip
        # Who had which phone in the calls of the VAST Challenge 2008.
        write_relation(
            bench.root, "test-contest.phone-user", ("phone-number", "person-id"), "many-to-one",
            domain,
        )  # fmt: skip
        bench.provision()
        state(bench, bench.contract("test-contest.phone-user"), *phone_persons().to_pylist())
        yield bench


@pytest.fixture(scope="module")
def mesh(backbone, bench):
    """That project's mesh, up, with all links taken in."""
    settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
    with opened(bench.home.path, **settings) as found:
        found.run("up")
        wait_until(lambda: links_of(found) == LINKS)
        yield found


def links_of(mesh: Mesh) -> int:
    (ring,) = [each for each in mesh.status()["services"] if each["name"] == "key-ring"]
    return ring["rows"]["links"] if ring.get("rows") else 0


def resolve(mesh: Mesh, *arguments: str) -> dict:
    said = mesh.result("keyring", "resolve", *arguments, "--as", "edith", "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_chain_is_followed_as_of_an_instant_and_says_who_states_each_link(mesh):
    asked = ("--from", f"sim:{SIM}", "--to", "person", "--role", "keeper")
    document = resolve(mesh, *asked, "--at", IN_FEBRUARY)

    assert document["answer"] == "P-000001"
    assert [(hop["from"], hop["to"]) for hop in document["path"]] == [
        (SIM, DEVICES[0]), (DEVICES[0], "P-000001"),
    ]  # fmt: skip
    first = document["path"][0]
    assert (first["relation"], first["authority"]) == ("sim-device", "test-network")
    assert (first["topic"].split(".")[2:4], first["partition"], first["offset"]) == (
        ["test-network", "sim-device"], 0, 0,
    )  # fmt: skip
    both = resolve(mesh, *asked, "--at", IN_MARCH)
    assert (both["state"], both["answer"], both["candidates"]) == (
        "ambiguous", None, ["P-000001", "P-000002"],
    )  # fmt: skip


def test_what_nobody_has_stated_is_not_known(mesh):
    said = mesh.run("keyring", "resolve", "--from", f"sim:{OTHER_SIM}", "--to", "device")
    assert said.startswith(f"not known: nothing leads on from sim-id {OTHER_SIM}")

    before = resolve(mesh, "--from", f"sim:{SIM}", "--to", "device", "--known-at", "2026-01-01")
    assert before["state"] == "not known"


def test_the_customer_is_refused_and_told_which_roles_there_are(mesh):
    said = mesh.run("keyring", "resolve", "--from", f"sim:{SIM}", "--to", "customer", code=2)
    assert "there is no customer" in said
    assert "keeper (A link of a test.)" in said
    said = mesh.run("keyring", "resolve", "--from", f"sim:{SIM}", "--to", "person", code=2)
    assert "in which role the person is meant" in said


def test_whoever_is_not_granted_the_links_is_refused(mesh):
    asked = ("keyring", "resolve", "--from", f"sim:{SIM}", "--to", "device")
    said = mesh.run(*asked, "--as", "mallory", code=1)

    assert "mallory is not granted links" in said


def door(mesh: Mesh, method: str, principal: str = "edith", **arguments) -> httpx.Response:
    address = json.loads((mesh.home / "run" / "key-ring.json").read_text())["address"]
    token = mesh.run("token", "--as", principal).strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{address}/resolve", headers=headers, timeout=30, **arguments)


def resolve_all(mesh: Mesh, params: dict[str, str], asked: pa.Table) -> pa.Table:
    """What the key ring answers to a table of questions, all at once."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, asked.schema) as stream:
        stream.write_table(asked)
    answer = door(mesh, "POST", params=params, content=sink.getvalue().to_pybytes())
    assert answer.status_code == 200, answer.text
    return pa.ipc.open_stream(answer.content).read_all()


def test_a_table_of_questions_goes_in_and_comes_out_as_arrow(mesh):
    instants = [datetime.fromisoformat(f"{each}T00:00:00Z") for each in (IN_FEBRUARY, IN_MARCH)]
    asked = pa.table({"id": [SIM, SIM, OTHER_SIM], "at": pa.array([*instants, MARCH])})
    params = {"from": "sim", "to": "device"}
    rows = resolve_all(mesh, params, asked).to_pylist()

    assert [row["answer"] for row in rows] == [*DEVICES, None]
    assert [row["count_candidates"] for row in rows] == [1, 1, 0]
    assert [row["count_steps"] for row in rows] == [1, 1, 0]
    bad = door(mesh, "POST", params=params, content=b"id,at")
    assert (bad.status_code, "send an Arrow stream" in bad.json()["detail"]) == (422, True)
    assert door(mesh, "POST", "mallory", params=params, content=b"").status_code == 403


def attributed(mesh: Mesh, calls: pa.Table) -> list[tuple[int, datetime, str | None]]:
    """Phone, instant and person of each of *calls* (`phone`, `at`), in their order."""
    ids = [f"+1202555{phone:04}" for phone in calls["phone"].to_pylist()]
    asked = pa.table({"id": ids, "at": calls["at"]})
    params = {"from": "phone", "to": "person", "role": "user"}
    persons = resolve_all(mesh, params, asked)["answer"]
    return list(zip(*(each.to_pylist() for each in (*calls.columns, persons)), strict=True))


def test_a_call_is_by_the_person_who_had_the_phone_on_that_day(mesh):
    phones = [phone for pair in CHANGED.items() for phone in pair]
    instants = [CHANGED_AT - timedelta(minutes=1), CHANGED_AT]
    calls = pa.table({"phone": phones * 2, "at": [each for each in instants for _ in phones]})

    found = {(phone, at): person for phone, at, person in attributed(mesh, calls)}

    for old, new in CHANGED.items():
        before, after = ({p: found[p, at] for p in (old, new)} for at in instants)
        assert before == {old: f"P-{old:06}", new: f"P-{new:06}"}
        assert after == {old: None, new: f"P-{old:06}"}


@pytest.mark.skipif(not CALLS.exists(), reason="put the contest's file beside the project: shared/")
def test_every_call_of_the_contest_is_by_the_person_who_had_the_phone_on_that_day(mesh):
    calls = duckdb.sql(
        'select "From"::int as phone,'
        " strptime(Datetime, '%Y%m%d %H%M') at time zone 'UTC' as \"at\""
        f" from read_csv('{CALLS}', types = {{'Datetime': 'varchar'}})"
    ).to_arrow_table()

    found = attributed(mesh, calls)

    assert len(found) == 9_834
    for old, new in CHANGED.items():
        by = {(phone, at < CHANGED_AT) for phone, at, person in found if person == f"P-{old:06}"}
        assert by == {(old, True), (new, False)}
    # Who had an old phone afterwards, nobody knows; of all other calls it is known.
    nobody = Counter(phone for phone, _, person in found if person is None)
    assert nobody == {200: 5, 1: 1, 5: 3, 3: 4, 2: 4}


def test_the_two_sides_of_a_contradiction_are_told(mesh):
    said = json.loads(mesh.run("read", "conflicts", "--as", "edith", "--json"))
    (conflict,) = [dict(zip(said["columns"], row, strict=True)) for row in said["rows"]]

    assert (conflict["link_id"], conflict["holder_link_id"]) == ("l3", "l1")
    assert (conflict["to_id"], conflict["holder_to_id"]) == (DEVICES[1], DEVICES[0])
    assert conflict["known_to"] is None


def test_a_relation_of_whoever_joined_by_name_alone_is_followed_without_a_restart(mesh, bench):
    asked = ("--from", "email:ada@telco.example", "--to", "contract")
    before = mesh.pids()["key-ring"]
    said = mesh.run("keyring", "resolve", *asked, "--as", "edith", code=2)
    assert "no chain of relations leads from email-address to contract-number" in said

    name = "email-contracts"
    mesh.run("principal", "add", name, "--domain", "marketing")
    endpoint, secret = bench.backbone.endpoint, bench.home.secret_path(name)
    script, catalogue = ROOT / "examples" / "email_contracts.py", bench.home.address("catalogue")
    servers = (endpoint.bootstrap_servers, endpoint.registry_url, catalogue)
    command = [sys.executable, script, *servers, secret]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "mesh" not in imports_of(script.name) | imports_of("call_ratings.py")
    wait_until(lambda: links_of(mesh) == LINKS + 1)

    document = resolve(mesh, *asked)
    assert document["answer"] == "C-000057182"
    assert [hop["authority"] for hop in document["path"]] == [name]
    assert mesh.pids()["key-ring"] == before
    mesh.run("unregister", name)
    wait_until(lambda: "no chain" in mesh.result("keyring", "resolve", *asked).stderr)
    assert links_of(mesh) == LINKS + 1
