"""Embedded backbones for tests, and clients of them."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not in its __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.process import last_lines, spawn, stop

CACHE = Path(os.environ.get("MESH_CACHE", Path.home() / ".cache" / "mesh")).absolute()
PASSWORD = "a secret of tests"
Config = dict[str, str | int | float | bool]


def quiet(_what: str, _done: int, _total: int) -> None:
    pass


@dataclass
class Running:
    """A backbone and its processes."""

    backbone: EmbeddedBackbone
    processes: dict[str, subprocess.Popen[bytes]]

    def client(self, user: str, password: str = PASSWORD) -> Config:
        mechanism = "PLAIN" if user == "admin" else "SCRAM-SHA-256"
        return {
            "bootstrap.servers": self.backbone.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": password,
            "log_level": 0,
        }

    def admin(self) -> AdminClient:
        return AdminClient(self.client("admin", self.backbone.admin.secret))

    def restart(self, name: str) -> None:
        self.processes[name] = spawn(self.backbone.commands()[name])
        self.wait()

    def wait(self, timeout_s: float = 90) -> None:
        end = time.monotonic() + timeout_s
        while not (self.backbone.is_kafka_ready() and self.backbone.is_registry_ready()):
            for name, process in self.processes.items():
                log = self.backbone.commands()[name].log
                assert process.poll() is None, last_lines(log, 20)
            assert time.monotonic() < end, "not ready in time"
            time.sleep(0.05)


@contextmanager
def started(folder: Path, cache: Path = CACHE) -> Iterator[Running]:
    backbone = EmbeddedBackbone(folder, cache)
    backbone.install(os.environ.get("MESH_MAVEN_MIRROR"), quiet)
    commands = backbone.commands()
    running = Running(backbone, {name: spawn(command) for name, command in commands.items()})
    try:
        running.wait()
        backbone.after_start()
        yield running
    finally:
        for process in running.processes.values():
            stop(process, timeout_s=10)
        backbone.close()


def make_user(running: Running, name: str) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    upsertion = UserScramCredentialUpsertion(name, info, PASSWORD.encode())
    admin = running.admin()  # kept: without it the future is cancelled
    for future in admin.alter_user_scram_credentials([upsertion]).values():
        future.result(30)


def make_topic(running: Running, name: str) -> None:
    admin = running.admin()  # kept: without it the future is cancelled
    for future in admin.create_topics([NewTopic(name, num_partitions=1)]).values():
        future.result(30)


def allow(
    running: Running, user: str, kind: ResourceType, name: str, operation: AclOperation
) -> None:
    binding = AclBinding(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        operation,
        AclPermissionType.ALLOW,
    )
    admin = running.admin()  # kept: without it the future is cancelled
    for future in admin.create_acls([binding]).values():
        future.result(30)


def write(config: Config, topic: str, values: list[bytes]) -> list[KafkaError]:
    errors: list[KafkaError] = []
    producer = Producer({**config, "message.timeout.ms": 5000})
    for value in values:
        producer.produce(
            topic, value, on_delivery=lambda error, _: errors.append(error) if error else None
        )
    assert producer.flush(30) == 0
    return errors


def read(config: Config, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {**config, "group.id": "ada", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    )
    consumer.subscribe([topic])
    try:
        return [message.value() or b"" for message in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()


def codes(errors: list[KafkaError]) -> set[int]:
    return {error.code() for error in errors}


def refusals(config: Config) -> set[int]:
    errors: list[KafkaError] = []
    client = AdminClient({**config, "error_cb": errors.append})  # type: ignore[dict-item]  # a call
    with pytest.raises(KafkaException):
        client.list_topics(timeout=1.5)
    client.poll(0.1)  # delivers the errors
    return codes(errors)


def register(running: Running, subject: str, fields: list[dict[str, object]]) -> int:
    schema = json.dumps({"type": "record", "name": "Order", "fields": fields})
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{running.backbone.registry_url}/subjects/{subject}/versions",
        data=json.dumps({"schema": schema}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


A: dict[str, object] = {"name": "a", "type": "string"}
B: dict[str, object] = {"name": "b", "type": ["null", "string"], "default": None}
OTHER_B: dict[str, object] = {"name": "b", "type": "int", "default": 0}


def wait_for(condition: Callable[[], object], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
