"""gRPC beside a product's door: the rows of REST in typed messages, for the granted."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from mesh.errors import BackboneError
from mesh.ports import grpc_door as module
from mesh.ports.grpc_door import grpc_door
from tests.doors import ROWS, Doors, opened_door
from tests.life import wait_until

SERVICE = "mesh.sample.notes.Rows"


class Client:
    """Asks as a stranger does: all that it knows of the messages, the server told it."""

    def __init__(self, doors: Doors, port: int) -> None:
        self.doors, self.target = doors, f"127.0.0.1:{port}"
        self.channel = grpc.insecure_channel(self.target)
        self.services = ProtoReflectionDescriptorDatabase(self.channel)
        found = DescriptorPool(self.services).FindServiceByName(SERVICE).methods_by_name["Read"]
        self.question = GetMessageClass(found.input_type)
        told = GetMessageClass(found.output_type)
        self._call = self.channel.unary_stream(
            f"/{SERVICE}/Read",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=told.FromString,
        )

    def call(self, name: str | None = "ada", *, timeout: float = 60, **question: Any) -> Any:
        token = [] if name is None else [("authorization", f"Bearer {self.doors.token(name)}")]
        return self._call(self.question(**question), metadata=token, timeout=timeout)

    def rows(self, **question: Any) -> list[Any]:
        return [row for batch in self.call(**question) for row in batch.rows]

    def code(self, name: str | None = "ada", **question: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as found:
            list(self.call(name, **question))
        return found.value.code(), str(found.value.details())


@pytest.fixture
def doors(tmp_path):
    with opened_door(tmp_path) as found:
        yield found


@pytest.fixture
def client(doors):
    with grpc_door(doors.door, "sample", host="127.0.0.1", port=0) as port:
        client = Client(doors, port)
        with client.channel:
            yield client


def test_rows_are_typed_and_null_is_not_there(doors, client):
    doors.add(*ROWS)
    full, small, empty = client.rows(limit=10)

    assert (full.count, full.price, full.day) == (2**53 + 1, "12.50", "0001-01-01")
    assert (full.at.seconds, full.at.nanos) == (1_767_323_045, 6000)
    assert [(each.HasField("value"), each.value) for each in full.tags.items] == [
        (True, "a"),
        (False, ""),
    ]
    assert (small.note, small.HasField("note"), small.is_open) == ("", True, False)
    assert {field.name for field, _ in empty.ListFields()} == {"id"}


def test_the_first_batch_says_the_offsets_and_the_cursor_of_the_next_page(doors, client):
    doors.add(*ROWS)
    first = next(iter(client.call(limit=2)))
    rest = client.rows(limit=2, cursor=first.next)

    assert [(each.topic, each.partition, each.offset) for each in first.offsets] == [("t", 0, 3)]
    assert [row.id for row in rest] == ["c"]
    assert not next(iter(client.call(limit=3))).HasField("next")


def test_an_empty_port_still_says_its_offsets(client):
    (only,) = client.call()

    assert len(only.rows) == 0


@pytest.mark.parametrize(
    ("field", "operator", "values", "ids"),
    [
        ("id", "", ["a", "c"], "ac"),
        ("count", "gt", ["9007199254740992"], "a"),
        ("price", "lt", ["12.5"], "b"),
        ("tags", "is_null", ["true"], "bc"),
    ],
)
def test_rows_are_asked_for_by_their_fields(doors, client, field, operator, values, ids):
    doors.add(*ROWS)
    where = [{"field": field, "operator": operator, "values": values}]
    rows = client.rows(where=where, fields=["id"], limit=10)

    assert "".join(row.id for row in rows) == ids
    assert {each.name for row in rows for each, _ in row.ListFields()} == {"id"}


@pytest.mark.parametrize(
    ("name", "question", "code", "says"),
    [
        (None, {}, grpc.StatusCode.UNAUTHENTICATED, "token is not valid"),
        ("mallory", {}, grpc.StatusCode.PERMISSION_DENIED, "mallory is not granted notes"),
        ("ada", {"limit": 0}, grpc.StatusCode.INVALID_ARGUMENT, "limit is `0`"),
        ("ada", {"fields": ["idd"]}, grpc.StatusCode.INVALID_ARGUMENT, "did you mean id?"),
        ("ada", {"limit": 1, "cursor": "mine"}, grpc.StatusCode.INVALID_ARGUMENT, "cursor"),
        (
            "ada",
            {"where": [{"field": "count", "values": ["x"]}]},
            grpc.StatusCode.INVALID_ARGUMENT,
            "whole number of 64 bits",
        ),
        (
            "ada",
            {"where": [{"field": "id", "values": ["x" * 70_000]}]},
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "larger than max",
        ),
    ],
    ids=range(7),
)
def test_what_is_refused_has_a_status_and_a_reason(client, name, question, code, says):
    found, reason = client.code(name, **question)

    assert found == code
    assert says in reason


def test_who_is_granted_no_more_is_refused_the_next_call(doors, client):
    list(client.call())
    doors.door._readers = lambda _: set()

    assert client.code()[0] == grpc.StatusCode.PERMISSION_DENIED


def test_no_message_is_larger_than_clients_take(doors, client):
    doors.add(*({"id": f"{number:03}", "note": "x" * 100_000} for number in range(120)))
    batches = list(client.call())

    assert sum(len(each.rows) for each in batches) == 120
    assert max(each.ByteSize() for each in batches) <= module.MOST_BYTES


def holds_a_snapshot(doors: Doors) -> bool:
    """Whether the whole of the port is being read: one at a time may be."""
    is_free = doors.door._exports.acquire(blocking=False)
    if is_free:
        doors.door._exports.release()
    return not is_free


def test_a_call_that_is_cancelled_lets_go_of_the_storage(doors, client):
    doors.fill(300_000)
    call = client.call()
    next(iter(call))
    assert holds_a_snapshot(doors)
    call.cancel()

    wait_until(lambda: not holds_a_snapshot(doors))


def test_a_deadline_ends_the_call_and_lets_go_of_the_storage(doors, client):
    doors.fill(300_000)
    call = client.call(timeout=2)
    next(iter(call))
    assert holds_a_snapshot(doors)

    # Nobody reads on: what waits in the channel is all that was sent.
    wait_until(lambda: not holds_a_snapshot(doors))
    with pytest.raises(grpc.RpcError) as found:
        list(call)
    assert found.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_who_reads_too_slowly_is_left_with_a_part(doors):
    doors.fill(300_000)
    with grpc_door(doors.door, "sample", host="127.0.0.1", port=0, age_ms=1000) as port:
        client = Client(doors, port)
        with client.channel:
            call = client.call(timeout=600)
            next(iter(call))
            assert holds_a_snapshot(doors)

            wait_until(lambda: not holds_a_snapshot(doors))
            with pytest.raises(grpc.RpcError):
                list(call)


def test_reflection_tells_services_without_a_token(client):
    assert set(client.services.get_services()) == {
        "grpc.reflection.v1alpha.ServerReflection",
        SERVICE,
    }


def test_a_port_in_use_is_refused_with_the_setting_to_change(doors, client):
    port = int(client.target.rpartition(":")[2])

    with (
        pytest.raises(BackboneError, match="MESH_GRPC_PORT"),
        grpc_door(doors.door, "sample", host="127.0.0.1", port=port),
    ):
        pass


def test_many_call_at_once(doors, client):
    doors.fill(2000)
    counts = []
    threads = [
        threading.Thread(target=lambda: counts.append(len(client.rows(limit=2000))))
        for _ in range(8)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert counts == [2000] * 8
