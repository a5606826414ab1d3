"""What a scratch Kafka and registry do while Java records what they load.

The cases are those of a mesh's first minute: topics, users, ACLs, a transaction, a group, schemas.
"""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
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

from mesh.backbone.kafka_server import ADMIN, KafkaServer
from mesh.backbone.registry_server import RegistryServer, set_compatibility

__all__ = ["KafkaUse", "use_registry"]

_TIMEOUT_S = 60.0
_USER = "scratch"
_TOPICS = ("scratch-events", "scratch-state")


class KafkaUse:
    """A client of a scratch broker."""

    def __init__(self, server: KafkaServer) -> None:
        self._server = server
        self._admin = AdminClient(self._config(ADMIN, "PLAIN"))

    def is_ready(self) -> bool:
        """Say whether the broker answers."""
        try:
            self._admin.list_topics(timeout=1)
        except KafkaException:
            return False
        return True

    def run(self) -> None:
        """Use it as a mesh would."""
        _finish(self._admin.create_topics([_topic(name) for name in _TOPICS]))
        secret = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
        password = self._server.secret.encode()
        upsertion = UserScramCredentialUpsertion(_USER, secret, password)
        _finish(self._admin.alter_user_scram_credentials([upsertion]))
        _finish(self._admin.create_acls(_acls()))
        self._transaction()
        self._read()

    def _transaction(self) -> None:
        config = self._config(_USER, "SCRAM-SHA-256")
        producer = Producer({**config, "transactional.id": _USER, "compression.type": "lz4"})
        producer.init_transactions(_TIMEOUT_S)
        for _ in range(3):
            producer.begin_transaction()
            for number in range(200):
                topic = _TOPICS[number % 2]
                producer.produce(topic, b"x" * 200, str(number), headers={"salt": b"1"})
            producer.commit_transaction(_TIMEOUT_S)

    def _read(self) -> None:
        consumer = Consumer(
            {
                **self._config(_USER, "SCRAM-SHA-256"),
                "group.id": _USER,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )
        consumer.subscribe(list(_TOPICS))
        with contextlib.suppress(KafkaException):
            consumer.consume(600, timeout=10)
            consumer.commit(asynchronous=False)
        consumer.close()

    def _config(self, user: str, mechanism: str) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": f"127.0.0.1:{self._server.port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": mechanism,
            "sasl.username": user,
            "sasl.password": self._server.secret,
            "log_level": 0,
        }


def _topic(name: str) -> NewTopic:
    policy = "compact,delete" if name.endswith("events") else "compact"
    return NewTopic(name, num_partitions=4, config={"cleanup.policy": policy})


def _acls() -> list[AclBinding]:
    allowed = (
        (ResourceType.TOPIC, AclOperation.WRITE),
        (ResourceType.TOPIC, AclOperation.READ),
        (ResourceType.GROUP, AclOperation.READ),
        (ResourceType.TRANSACTIONAL_ID, AclOperation.WRITE),
    )
    return [
        AclBinding(
            kind,
            _USER,
            ResourcePatternType.PREFIXED,
            f"User:{_USER}",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for kind, operation in allowed
    ]


def _finish(futures: Mapping[Any, Future[Any]]) -> None:
    for future in futures.values():
        future.result(_TIMEOUT_S)


def use_registry(server: RegistryServer) -> None:
    """Register, refuse and look up schemas."""
    set_compatibility(server)
    field = {"name": "a", "type": "string"}
    added = {"name": "b", "type": ["null", "string"], "default": None}
    broken = {"name": "c", "type": "long"}
    for fields in ([field], [field, added], [field, broken]):
        schema = json.dumps({"type": "record", "name": "scratch", "fields": fields})
        _ask(f"{server.url}/subjects/scratch-value/versions", {"schema": schema})
        _ask(f"{server.url}/subjects/scratch-value", {"schema": schema})
    for path in ("subjects", "subjects/scratch-value/versions/latest", "schemas/ids/1"):
        _ask(f"{server.url}/{path}")


def _ask(url: str, body: dict[str, str] | None = None) -> None:
    data = json.dumps(body).encode() if body else None
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310  # our own address
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # as above
            answer.read()
    except urllib.error.HTTPError as error:  # refusals are part of the work
        error.close()
