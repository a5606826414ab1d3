"""The only writer of the schema registry: judges every contract, registers it, announces it.

A contract that would break who reads its port is refused before anything is made, in the words of
the contract: which field, what of it, by which rule, and who reads. The registry judges as well,
by FULL_TRANSITIVE, and its answer is told in the same words.

Not here: topics, users and rights (`provision`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import encoded
from mesh.backbone.registry import Registry, Schema
from mesh.backbone.wire import salt_header
from mesh.contract.access import GRANT_SCHEMA, GRANTS_TOPIC
from mesh.contract.audit import ERASURE_SCHEMA, ERASURES_TOPIC
from mesh.contract.catalogue import DESCRIPTOR_SCHEMA, OWN_TOPICS, descriptor_topic
from mesh.contract.diff import Change, field_changes
from mesh.contract.model import Contract, Product
from mesh.contract.project import Project
from mesh.contract.registered import registered_fields
from mesh.contract.types import avro_schema
from mesh.control.principals import SCHEMAS_TOPIC
from mesh.errors import SchemaIncompatible
from mesh.product.outbox import REJECTED_SCHEMA
from mesh.product.plan import rejected_topic_of

__all__ = ["Verdict", "judge", "register", "rejected_topics", "require_compatible"]

ANNOUNCE_TIMEOUT_S = 30.0
# The registry waits for Kafka with each write: of more at once, the last waits as long.
REGISTERED_AT_ONCE = 4
REMEDY = 'see "Changing a contract" in docs/contracts.md'

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
class Verdict:
    """What registering a contract would mean: *changes* from what is registered, and who reads.

    *is_new* where the registry does not have it as it is; then *changes* has what breaks.
    """

    contract: Contract
    is_new: bool
    changes: tuple[Change, ...]
    readers: tuple[str, ...]

    @property
    def is_refused(self) -> bool:
        """Whether it would break those who read the port."""
        return any(each.is_breaking for each in self.changes)

    def __str__(self) -> str:
        contract = self.contract
        name = f"{contract.id} {contract.version}"
        if not self.is_refused:
            return f"{name}: {'new, and breaks no reader' if self.is_new else 'as registered'}"
        why = "; ".join(each.words for each in self.changes if each.is_breaking)
        port = contract.port.removesuffix(f".v{contract.major}")
        beside = f"{contract.product}.{port}.v{contract.major + 1}"
        return (
            f"{name} would break its readers ({', '.join(self.readers) or 'nobody yet'}): {why}. "
            f"Make it {beside}, version {contract.major + 1}.0.0, beside this one: {REMEDY}"
        )


def judge(project: Project, registry: Registry, contracts: Iterable[Contract]) -> list[Verdict]:
    """Compare *contracts* with every version that the registry has of each."""
    there = registry.subjects()
    streamed = [each for each in contracts if each.is_streamed]
    with ThreadPoolExecutor(REGISTERED_AT_ONCE) as pool:
        return [*pool.map(partial(judged, project, registry, there), streamed)]


def judged(
    project: Project, registry: Registry, there: Collection[str], contract: Contract
) -> Verdict:
    """Compare one contract with what is *there*; what several versions would see is told once."""
    subject = contract.subject
    is_known = subject in there and registry.find(subject, avro_schema(contract)) is not None
    changes: dict[str, Change] = {}
    for schema in () if is_known or subject not in there else registry.versions(subject):
        fields = registered_fields(schema)
        found = () if fields is None else field_changes(fields, contract.fields)
        # What is registered knows no more of a field than its name and type.
        changes |= {each.words: each for each in found if each.is_breaking}
    return Verdict(
        contract=contract,
        is_new=not is_known,
        changes=tuple(changes.values()),
        readers=project.readers_of(contract),
    )


def require_compatible(project: Project, endpoint: Endpoint) -> None:
    """Raise `SchemaIncompatible`, with every reason, where a contract would break its readers."""
    with Registry(endpoint) as registry:
        found = judge(project, registry, project.contracts.values())
    refused = [str(each) for each in found if each.is_refused]
    if refused:
        raise SchemaIncompatible("; ".join(refused))


def register(
    project: Project, described: Mapping[str, str], endpoint: Endpoint, registrar: Principal
) -> list[str]:
    """Register every schema; the subjects that are new, each announced on the bus.

    *described* has the domain of each product that has a descriptor topic, by its id.
    """
    contracts = {each.subject: each for each in project.contracts.values()}
    with Registry(endpoint) as registry, ThreadPoolExecutor(REGISTERED_AT_ONCE) as pool:
        there = registry.subjects()

        def registered(each: tuple[str, Schema]) -> tuple[int, bool]:
            subject, schema = each
            try:
                found = registry.register(subject, schema, is_first=subject not in there)
            except SchemaIncompatible as error:
                raise refusal(project, contracts.get(subject), error) from error
            registry.require_compatibility(subject)
            return found

        subjects = [*subjects_of(project, described)]
        found = [*zip(subjects, pool.map(registered, subjects), strict=True)]
    # All of them each time: whoever died between registering and announcing is made good, and
    # compaction keeps one.
    known = [(subject, schema_id, schema) for (subject, schema), (schema_id, _) in found]
    _, own_id, _ = known[0]
    announce(endpoint, registrar, own_id, known)
    return [subject for (subject, _), (_, is_new) in found if is_new]


def refusal(
    project: Project, contract: Contract | None, error: SchemaIncompatible
) -> SchemaIncompatible:
    """The registry's refusal with the contract's name and its readers.

    Only for what our own rule does not see: a schema that another hand has registered.
    """
    if contract is None:
        return error
    readers = ", ".join(project.readers_of(contract)) or "nobody yet"
    return SchemaIncompatible(
        f"{contract.id} {contract.version} is refused by the registry, for its readers ({readers}) "
        f"or for what another hand has registered as {contract.subject}: {error}; {REMEDY}"
    )


def subjects_of(project: Project, described: Mapping[str, str]) -> Iterator[tuple[str, Schema]]:
    """Every registry subject with its schema, the announcements' own first."""
    yield f"{SCHEMAS_TOPIC}-value", ANNOUNCEMENT
    yield f"{ERASURES_TOPIC}-value", ERASURE_SCHEMA
    yield f"{GRANTS_TOPIC}-value", GRANT_SCHEMA
    for topic, schema in OWN_TOPICS.items():
        yield f"{topic}-value", schema
    for name, domain in described.items():
        yield f"{descriptor_topic(domain, name)}-value", DESCRIPTOR_SCHEMA
    for product in project.products.values():
        for contract in (each for each in product.contracts if each.is_streamed):
            yield contract.subject, avro_schema(contract)
        for topic in rejected_topics(project, product):
            yield f"{topic}-value", REJECTED_SCHEMA


def rejected_topics(project: Project, product: Product) -> tuple[str, ...]:
    """Where a product puts what breaks a contract, an input port's or its own."""
    inputs = [rejected_topic_of(project, product, port) for port in product.inputs]
    streamed = [port.contract for port in product.outputs if port.contract.is_streamed]
    return (*inputs, *(each.rejected_topic for each in streamed))


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
                value=encoded(schema_id, ANNOUNCEMENT, value),
                headers=salt_header(),
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
        if producer.flush(ANNOUNCE_TIMEOUT_S) or errors:
            raise KafkaException(errors[0] if errors else KafkaError(KafkaError._TIMED_OUT))
    except KafkaException as exception:
        raise kafka_error(exception.args[0], "announce schemas") from exception
