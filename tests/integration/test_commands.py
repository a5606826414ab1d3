"""Commands of the product contracts on a real broker: accepted whole, refused, and read."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest

from mesh.product.readback import reader
from mesh.testing import open_workbench
from tests.commanding import Client, at_the_door, seen_on, watching
from tests.life import ROOT, opened, wait_until

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MARCH, APRIL, MAY = (f"2026-0{month}-01T00:00:00Z" for month in (3, 4, 5))
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def bench(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    with open_workbench(backbone, source=ROOT, folder=folder, products=["contracts"]) as found:
        yield found


@pytest.fixture(scope="module")
def mesh(backbone, bench):
    settings = {**backbone.environment(), "MESH_PROJECT": str(bench.root)}
    with opened(bench.home.path, **settings) as found:
        found.run("up")
        yield found


@pytest.fixture(scope="module")
def client(mesh):
    return Client(mesh=mesh)


def new_number() -> str:
    return f"+1202556{next(NUMBERS):04}"


def opened_contract(client: Client, **more: str) -> str:
    """A new contract, since March."""
    number = f"C-9{next(NUMBERS):08}"
    body = {"kind": "mobile", "person_id": "P-000001", "effective_at": MARCH, **more}
    client.accepted("open-contract", contract_number=number, **body)
    return number


@pytest.fixture
def line(client):
    """A number, the contract that has it, and another one."""
    number = new_number()
    return number, opened_contract(client, phone_number=number), opened_contract(client)


def test_what_is_commanded_is_on_every_port_at_once(client, line):
    number, old, new = line

    client.accepted(
        "port-number", phone_number=number, from_contract=old, contract_number=new,
        effective_at=APRIL,
    )  # fmt: skip
    client.accepted(
        "change-contract", contract_number=new, role="holder", person_id="P-000002",
        effective_at=APRIL,
    )  # fmt: skip
    closed = client.accepted("close-contract", contract_number=new, effective_at=MAY)

    links = client.rows("phone-number-contract", closed, from_id=number)
    said = [(row["to_id"], row["valid_from"][:10], (row["valid_to"] or "")[:10]) for row in links]
    assert sorted(said) == [
        (old, "2026-03-01", ""),
        (old, "2026-03-01", "2026-04-01"),
        (new, "2026-04-01", ""),
        (new, "2026-04-01", "2026-05-01"),
    ]
    (row,) = client.rows("contracts", closed, contract_number=new)
    assert (row["state"], row["holder_id"], row["closed_at"][:10]) == (
        "closed", "P-000002", "2026-05-01",
    )  # fmt: skip
    (row,) = client.rows("contracts", closed, contract_number=old)
    assert (row["state"], row["holder_id"]) == ("active", "P-000001")


def test_each_refusal_names_the_field_and_the_reason(client, line):
    number, old, new = line
    closed, stranger = opened_contract(client), "C-999999999"
    client.accepted("close-contract", contract_number=closed, effective_at=MAY)
    port = {"phone_number": number, "from_contract": old, "contract_number": new}
    opening = {"contract_number": stranger, "kind": "mobile", "person_id": "P-000001"}
    refused = [
        ("port-number", {**port, "contract_number": stranger}, 409, "contract_number", "no such"),
        ("port-number", {**port, "contract_number": closed}, 409, "contract_number", "closed"),
        ("port-number", {**port, "contract_number": old}, 409, "contract_number", "already"),
        ("port-number", {**port, "from_contract": new}, 409, "from_contract", "another contract"),
        ("port-number", {**port, "phone_number": "+12025559999"}, 409, "phone_number", "no contr"),
        ("port-number", {**port, "effective_at": "2026-02-01"}, 409, "effective_at", "later"),
        ("port-number", {**port, "phone_number": "0612"}, 422, "phone_number", "not match"),
        ("port-number", {**port, "effective_at": "soon"}, 422, "effective_at", "instant"),
        ("port-number", {**port, "colour": "red"}, 422, "colour", "no such field"),
        ("port-number", {"contract_number": new}, 422, "", "from a contract to another"),
        ("open-contract", {**opening, "phone_number": number}, 409, "phone_number", "has it"),
        ("open-contract", {**opening, "contract_number": new}, 409, "contract_number", "already"),
        ("open-contract", {**opening, "contract_number": "C-000000018"}, 409, "contract_number",
         "for the CRM"),
        ("close-contract", {"contract_number": closed}, 409, "contract_number", "closed already"),
        ("close-contract", {"contract_number": new, "effective_at": "2026-01-01"}, 409,
         "effective_at", "begins later"),
        ("change-contract", {"contract_number": new, "role": "holder", "person_id": "P-000001"},
         409, "person_id", "already"),
        ("change-contract", {"contract_number": new, "role": "payer", "person_id": "P-000001"},
         422, "role", "one of"),
    ]  # fmt: skip

    for command, body, status, field, words in refused:
        answer = client.command(command, **body)
        assert answer.status_code == status, (command, body, answer.text)
        found = [each["reason"] for each in answer.json()["refusals"] if each["field"] == field]
        assert any(words in each for each in found), (command, body, answer.text)
    assert client.command("sell-contract").status_code == 404


def test_a_command_that_is_sent_again_is_the_same_one(client, line):
    number, old, new = line
    body = {"phone_number": number, "from_contract": old, "contract_number": new}

    first, again = (client.command("port-number", "key-1", **body) for _ in range(2))
    other = client.command("port-number", "key-1", **{**body, "contract_number": old})

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert again.json() == {**first.json(), "is_repeated": True}
    assert "another command" in other.json()["detail"]
    assert len(client.rows("phone-number-contract", first.json(), from_id=number)) == 3


def test_who_is_not_granted_the_commands_may_command_nothing(mesh, client, line):
    number, old, new = line
    body = {"phone_number": number, "from_contract": old, "contract_number": new}

    refused = Client(mesh=mesh, name="ada").command("port-number", **body)

    assert refused.status_code == 403
    assert "ada is not granted contracts.commands" in refused.json()["detail"]
    rows = f"{client.address}/ports/contracts/rows"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert httpx.request(method, rows, headers=client.headers).status_code == 405
    nobody = httpx.post(f"{client.address}/commands/port-number", json=body)
    assert nobody.status_code in (401, 403)


def test_of_commands_at_once_for_one_number_exactly_one_wins(client, line):
    number, old, _ = line
    targets = [opened_contract(client) for _ in range(8)]

    def port(target: str) -> httpx.Response:
        body = {"phone_number": number, "from_contract": old, "contract_number": target}
        return client.command("port-number", **body)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(port, targets))

    won = [t for t, each in zip(targets, answers, strict=True) if each.status_code == 200]
    lost = [each.json()["refusals"] for each in answers if each.status_code == 409]
    assert (len(won), len(lost)) == (1, 7)
    assert {one["reason"] for each in lost for one in each} == {"another contract has the number"}
    assert at_the_door(client, number)() == {*won}


def test_no_reader_ever_sees_a_number_on_both_contracts_or_on_none(bench, mesh, client, line):
    number, *pair = line
    topic = bench.contract("contracts.phone-number-contract").topic
    consumer = reader(bench.backbone.endpoint, bench.principal("linus"), "watching")
    wait_until(lambda: at_the_door(client, number)() == {pair[0]})
    on_topic = seen_on(consumer, topic, number, bench.decoded)
    wait_until(lambda: on_topic() == {pair[0]})
    kills = {30}

    with watching(at_the_door(client, number)) as door, watching(on_topic) as stream:
        for turn in range(60):
            if turn in kills:
                psutil.Process(mesh.pids()["contracts"]).kill()
            old, new = pair[turn % 2], pair[(turn + 1) % 2]
            answer = client.until_accepted(
                "port-number", f"turn {turn} of {number}", phone_number=number, from_contract=old,
                contract_number=new,
            )  # fmt: skip
        # What the streams show may be of the turn before the last: the answer says what is all.
        found = client.rows("phone-number-contract", answer, from_id=number)
        wait_until(lambda: stream[-1] == {pair[0]})
    consumer.close()

    assert {frozenset(each) for each in door} == {frozenset({each}) for each in pair}
    assert {frozenset(each) for each in stream} == {frozenset({each}) for each in pair}
    # Each was accepted once, though some were sent again: an end and a beginning each.
    assert len(found) == 1 + 2 * 60


def test_a_storage_that_is_lost_is_made_anew_with_all_commands(mesh, client, line):
    number, old, new = line
    done = client.accepted(
        "port-number", phone_number=number, from_contract=old, contract_number=new
    )
    ports = ("contracts", "phone-number-contract")
    before = {port: client.rows(port, done) for port in ports}

    mesh.run("replay", "contracts", "--yes")

    wait_until(lambda: mesh.service("contracts")["state"] == "running")
    assert {port: client.rows(port, done) for port in ports} == before
    refused = client.command("open-contract", contract_number=new, kind="mobile",
                             person_id="P-000001")  # fmt: skip
    assert refused.status_code == 409
