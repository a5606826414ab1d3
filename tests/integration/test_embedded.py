"""A real Kafka and a real registry from their jars: who may do what."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not in its __all__
    AclOperation,
    ResourceType,
)

from tests.embedded import (
    OTHER_B,
    A,
    B,
    Running,
    allow,
    codes,
    make_topic,
    make_user,
    read,
    refusals,
    register,
    started,
    write,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    # A name that a properties file, a class path or a URL might stumble over.
    with started(tmp_path_factory.mktemp("a mesh, größer; 1=1")) as running:
        make_user(running, "ada")
        make_user(running, "mallory")
        make_topic(running, "orders")
        allow(running, "ada", ResourceType.TOPIC, "orders", AclOperation.WRITE)
        allow(running, "ada", ResourceType.TOPIC, "orders", AclOperation.READ)
        allow(running, "ada", ResourceType.GROUP, "ada", AclOperation.READ)
        yield running


def test_a_user_with_a_grant_writes_and_reads(running: Running) -> None:
    config = running.client("ada")
    assert write(config, "orders", [b"1", b"2"]) == []
    assert read(config, "orders", 2) == [b"1", b"2"]


def test_the_broker_refuses_a_write_without_a_grant(running: Running) -> None:
    errors = write(running.client("mallory"), "orders", [b"evil"])
    assert codes(errors) == {KafkaError.TOPIC_AUTHORIZATION_FAILED}


def test_a_topic_that_was_granted_to_nobody_is_closed(running: Running) -> None:
    make_topic(running, "closed")
    errors = write(running.client("ada"), "closed", [b"1"])
    assert codes(errors) == {KafkaError.TOPIC_AUTHORIZATION_FAILED}


def test_the_broker_refuses_a_read_without_a_grant(running: Running) -> None:
    allow(running, "mallory", ResourceType.GROUP, "ada", AclOperation.READ)
    consumer = Consumer(
        {**running.client("mallory"), "group.id": "ada", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["orders"])
    try:
        (message,) = consumer.consume(1, timeout=20)
        error = message.error()
        assert error is not None
        assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    finally:
        consumer.close()


def test_the_broker_refuses_a_wrong_password(running: Running) -> None:
    assert KafkaError._AUTHENTICATION in refusals(running.client("ada", "wrong"))
    assert KafkaError._AUTHENTICATION in refusals(running.client("admin", "wrong"))
    assert KafkaError._AUTHENTICATION in refusals(running.client("nobody"))


def test_the_broker_refuses_who_does_not_say_who_they_are(running: Running) -> None:
    assert refusals({"bootstrap.servers": running.backbone.bootstrap_servers, "log_level": 0})


@pytest.mark.parametrize(("listener", "kind"), [("kafka", 1), ("controller", 2)])
def test_a_listener_hangs_up_on_a_request_before_a_login(
    running: Running, listener: str, kind: int
) -> None:
    folder = running.backbone.commands()["kafka"].cwd.parent
    port = json.loads((folder / "ports.json").read_text())[listener]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        # DescribeCluster (key 60), version 1, correlation id 7, no client id, no tags; no
        # authorized operations, the endpoints of this kind, no tags.
        request = struct.pack(">hhihbbbb", 60, 1, 7, -1, 0, 0, kind, 0)
        connection.sendall(struct.pack(">i", len(request)) + request)
        assert connection.recv(1) == b""


def test_a_topic_is_not_made_by_writing_to_it(running: Running) -> None:
    config = running.client("admin", running.backbone.admin.secret)
    assert write(config, "nowhere", [b"1"])
    assert "nowhere" not in running.admin().list_topics(timeout=10).topics


def test_servers_listen_on_the_loopback_only(running: Running) -> None:
    for process in running.processes.values():
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(process.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        assert len(listening) == 2
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_the_administrators_password_stands_in_one_private_file_only(running: Running) -> None:
    secret = running.backbone.admin.secret
    kafka = running.backbone.commands()["kafka"]
    holding = [
        path
        for path in kafka.cwd.parent.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert holding == [kafka.cwd / "server.properties"]
    assert holding[0].stat().st_mode & 0o777 == 0o600
    for process in running.processes.values():
        assert secret not in " ".join(psutil.Process(process.pid).cmdline())
        assert secret not in str(psutil.Process(process.pid).environ())
    assert secret not in repr(running.backbone.admin)


def test_the_registry_refuses_an_incompatible_schema_by_default(running: Running) -> None:
    assert register(running, "orders-value", [A]) == 200
    assert register(running, "orders-value", [A, B]) == 200
    assert register(running, "orders-value", [A, {"name": "c", "type": "long"}]) == 409
    assert register(running, "orders-value", [B]) == 409


def test_the_registry_compares_with_every_version_not_only_the_last(running: Running) -> None:
    assert register(running, "all-value", [A, B]) == 200
    assert register(running, "all-value", [A]) == 200
    assert register(running, "all-value", [A, OTHER_B]) == 409
