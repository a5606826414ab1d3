"""Makes what a project needs on a backbone: principals, rights, topics, schemas.

Idempotent. What stands there and is not what its contract says is reported, never mended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import fastavro
from confluent_kafka import KafkaError, KafkaException, Producer

from mesh.backbone.admin import Admin, kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry, Schema
from mesh.backbone.topics import Difference, Topic, rejected_topic, single_topic, topic_of
from mesh.backbone.wire import frame
from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.contract.types import avro_schema
from mesh.control.principals import REGISTRAR, SCHEMAS_TOPIC, principals_of, rights_of
from mesh.control.tokens import make_keys
from mesh.home import Home
from mesh.product.feed import feed_topic
from mesh.product.outbox import REJECTED_SCHEMA
from mesh.product.plan import input_of, position_topic

__all__ = ["Provisioned", "make_secrets", "provision", "topics_of"]

Report = Callable[[str], None]

ANNOUNCE_TIMEOUT_S = 30.0

ANNOUNCEMENT: Schema = {
    "type": "record",
    "name": "schema_registered",
    "namespace": "mesh.registry",
    "doc": "One row per schema that the registrar has registered.",
    "fields": [
        {"name": "subject", "type": "string"},
        {"name": "schema_id", "type": "long"},
        {"name": "schema", "type": "string"},
        {"name": "registered_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """What was made, and what stands there and differs."""

    made_topics: tuple[str, ...]
    registered: tuple[str, ...]
    differences: tuple[Difference, ...]


def provision(
    project: Project, home: Home, admin: Admin, *, replication: int, report: Report
) -> Provisioned:
    """Make users, rights, topics and schemas of *project*.

    Raises a `BackboneError` where Kafka or the registry refuses or is away.
    """
    report("principals and rights")
    principals = make_secrets(project, home)
    admin.make_users(principals)
    admin.settle_rights(rights_of(project), [each.name for each in principals])
    report("topics")
    topics = tuple(topics_of(project))
    made = admin.make_topics(topics, replication)
    report("schemas")
    registrar = next(each for each in principals if each.name == REGISTRAR)
    registered = register(project, admin.endpoint, registrar)
    return Provisioned(
        made_topics=tuple(made),
        registered=tuple(registered),
        differences=tuple(admin.differences(topics)),
    )


def make_secrets(project: Project, home: Home) -> tuple[Principal, ...]:
    """A secret for every principal, and the keys by which tokens are made and checked."""
    principals = tuple(
        Principal(name=name, secret=home.make_secret(name)) for name in principals_of(project)
    )
    make_keys(home, principals)
    return principals


def topics_of(project: Project) -> Iterator[Topic]:
    """Every topic of the project."""
    yield Topic(
        name=SCHEMAS_TOPIC,
        partitions=1,
        config={"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"},
    )
    for product in project.products.values():
        yield single_topic(position_topic(product))
        for contract in product.contracts:
            yield topic_of(contract)
        for name in rejected_topics(project, product):
            yield rejected_topic(name)
        for port in product.inputs:
            if port.system is not None:
                yield single_topic(feed_topic(project.input_contract(port)))


def rejected_topics(project: Project, product: Product) -> tuple[str, ...]:
    """Where a product puts what breaks a contract, an input port's or its own."""
    inputs = [input_of(project, product, port).rejected_topic for port in product.inputs]
    return (*inputs, *(port.contract.rejected_topic for port in product.outputs))


def register(project: Project, endpoint: Endpoint, registrar: Principal) -> list[str]:
    """Register every schema; the subjects that are new, each announced on the bus."""
    known: list[tuple[str, int, Schema]] = []
    new: list[str] = []
    with Registry(endpoint) as registry:
        for subject, schema in subjects_of(project):
            schema_id, is_new = registry.register(subject, schema)
            registry.require_compatibility(subject)
            known.append((subject, schema_id, schema))
            new += [subject] if is_new else []
        own = f"{SCHEMAS_TOPIC}-value"
        own_id = registry.find(own, ANNOUNCEMENT) or 0
    # All of them each time: whoever died between registering and announcing is made good, and
    # compaction keeps one.
    announce(endpoint, registrar, own_id, known)
    return new


def subjects_of(project: Project) -> Iterator[tuple[str, Schema]]:
    """Every registry subject with its schema, the announcements' own first."""
    yield f"{SCHEMAS_TOPIC}-value", ANNOUNCEMENT
    for product in project.products.values():
        for contract in product.contracts:
            yield contract.subject, avro_schema(contract)
        for topic in rejected_topics(project, product):
            yield f"{topic}-value", REJECTED_SCHEMA


def announce(
    endpoint: Endpoint,
    registrar: Principal,
    schema_id: int,
    announced: list[tuple[str, int, Schema]],
) -> None:
    """Say on the bus what was registered, so that others need not ask the registry."""
    errors: list[KafkaError] = []
    producer = Producer({**endpoint.client(registrar), "acks": "all", "linger.ms": 0})
    try:
        for subject, id_, schema in announced:
            value = {
                "subject": subject,
                "schema_id": id_,
                "schema": json.dumps(schema, separators=(",", ":")),
                "registered_at": time.time_ns() // 1000,
            }
            producer.produce(
                SCHEMAS_TOPIC,
                key=f"{subject}/{id_}",
                value=frame(schema_id, datum(value)),
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
        if producer.flush(ANNOUNCE_TIMEOUT_S) or errors:
            raise KafkaException(errors[0] if errors else KafkaError(KafkaError._TIMED_OUT))
    except KafkaException as exception:
        raise kafka_error(exception.args[0], "announce schemas") from exception


def datum(value: dict[str, object]) -> bytes:
    """One Avro datum of an announcement."""
    from io import BytesIO

    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(ANNOUNCEMENT), value)
    return buffer.getvalue()
