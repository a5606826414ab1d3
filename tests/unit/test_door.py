"""A product's door: who gets which rows, and what it says of itself meanwhile."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from mesh.backbone.endpoint import Principal
from mesh.control.access import access_app
from mesh.control.tokens import issue_token
from mesh.errors import BackboneError
from mesh.ports.serve import Server, bind
from mesh.product.storage import Storage
from tests.doors import opened_door
from tests.mapped import notes_contract

CONTRACT = notes_contract()


@pytest.fixture
def opened(tmp_path):
    with opened_door(tmp_path) as found:
        yield found


@pytest.fixture
def home(opened):
    return opened.home


@pytest.fixture
def storage(opened):
    return opened.storage


@pytest.fixture
def status(opened):
    """What the runtime says of itself, for a test to change."""
    return opened.status


@pytest.fixture
def door(opened):
    """The address of a door that ada may read."""
    return str(opened.client.base_url).rstrip("/")


def fill(storage: Storage, count: int) -> None:
    """Add rows with whatever the contract's first field may hold."""
    key = CONTRACT.key_fields[0].name
    with storage.transaction():
        storage.connection.execute(
            f'insert into main."{CONTRACT.name}" ("{key}", _partition, _offset)'
            f" select range, 0, range from range({count})"
        )
        storage.connection.execute('update mesh.state set offsets = \'{"t": {"0": 7}}\'')


def rows(home, door, name="ada", path="/ports/notes/rows", **parameters):
    token = issue_token(home, Principal(name=name, secret=f"secret of {name}"))
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{door}{path}", headers=headers, params=parameters, timeout=30)


def test_rows_come_with_their_columns_and_the_offsets_they_are_true_for(home, door, storage):
    fill(storage, 3)
    document = rows(home, door, limit=2).json()

    assert document["columns"] == [each.name for each in CONTRACT.fields]
    assert len(document["rows"]) == 2
    assert document["offsets"] == {"t": {"0": 7}}


def test_an_empty_port_has_columns_and_no_rows(home, door):
    document = rows(home, door).json()

    assert document["rows"] == []
    assert document["columns"]


def test_without_a_limit_it_is_a_hundred_and_the_most_is_ten_thousand(home, door, storage):
    fill(storage, 10_001)

    assert len(rows(home, door).json()["rows"]) == 100
    assert len(rows(home, door, limit=10_000).json()["rows"]) == 10_000
    assert rows(home, door, limit=10_001).status_code == 422


def test_who_is_not_granted_learns_nothing(home, door):
    refused = rows(home, door, "mallory")
    absent = rows(home, door, "mallory", "/ports/other/rows")

    assert refused.status_code == absent.status_code == 403
    assert refused.text.replace("notes", "other") == absent.text


def test_who_is_granted_one_port_is_refused_another(home, door):
    assert rows(home, door, "ada", "/ports/other/rows").status_code == 403


@pytest.mark.parametrize("state", ["running", "recovering", "waiting"])
def test_the_status_is_there_for_all_with_the_rows_whatever_the_runtime_does(
    door, storage, status, state
):
    fill(storage, 5)
    status.update(state=state, reason="why")

    said = httpx.get(f"{door}/status").json()
    assert {name: said[name] for name in ("state", "reason", "rows", "rejected")} == {
        "state": state,
        "reason": "why",
        "rows": {"notes": 5},
        "rejected": 0,
    }


def test_many_read_at_once_while_the_product_writes(home, door, storage):
    stop = threading.Event()

    def write():
        while not stop.is_set():
            fill(storage, 100)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: rows(home, door, limit=500), range(80)))
    finally:
        stop.set()
        writer.join()

    assert {each.status_code for each in answers} == {200}
    # Never a part of a batch.
    assert {len(each.json()["rows"]) % 100 for each in answers} == {0}


def test_a_port_in_use_is_refused_at_once_and_named_with_the_setting(home, door):
    port = int(door.rsplit(":", 1)[1])

    with pytest.raises(BackboneError, match=rf"127.0.0.1:{port} .*MESH_HTTP_PORT"):
        Server(access_app(home), home, "access", host="127.0.0.1", port=port)


def test_a_port_is_taken_before_anybody_serves_at_it(home):
    first = Server(access_app(home), home, "access", host="127.0.0.1", port=0)
    port = int(first.address.rsplit(":", 1)[1])
    try:
        with pytest.raises(BackboneError):
            Server(access_app(home), home, "other", host="127.0.0.1", port=port)
        # Outside the range from which the kernel takes ports for those who connect.
        assert 20_000 <= port < 32_000
    finally:
        first.start()
        first.stop()


def test_an_address_that_is_not_of_this_machine_is_refused(home):
    with pytest.raises(BackboneError, match="MESH_HTTP_HOST"):
        Server(access_app(home), home, "access", host="192.0.2.1", port=0)


def test_a_server_that_stops_takes_its_address_back(home):
    server = Server(access_app(home), home, "access", host="127.0.0.1", port=0)
    server.start()
    assert home.address("access") == server.address
    server.stop()

    assert home.address("access") is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.address}/status")


def test_every_kind_of_value_has_a_form_in_json(home, door, storage):
    values = """
        'k', 'é"\n\\0', null, 9007199254740993, 1, 12.50, 'nan'::double, true, date '0001-01-01',
        timestamptz '2026-01-02 03:04:05.000006+00', uuid '123e4567-e89b-12d3-a456-426614174000',
        ['a', null], 0, 0
    """
    names = ", ".join(f'"{each.name}"' for each in CONTRACT.fields) + ", _partition, _offset"
    storage.connection.execute(f'insert into main."{CONTRACT.name}" ({names}) values ({values})')

    assert rows(home, door).json()["rows"] == [
        [
            "k",
            'é"\n\\0',
            None,
            9007199254740993,
            1,
            "12.50",
            "NaN",
            True,
            "0001-01-01",
            "2026-01-02T03:04:05.000006Z",
            "123e4567-e89b-12d3-a456-426614174000",
            ["a", None],
        ]
    ]


def test_an_answer_on_a_kept_connection_waits_for_nobody():
    """Unless told so, asyncio leaves Nagle's algorithm on, and a small answer takes 40 ms."""
    listener = bind("127.0.0.1", 0, "test")
    try:
        assert listener.proto == socket.IPPROTO_TCP
    finally:
        listener.close()
