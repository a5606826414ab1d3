"""Drills: a safeguard, tried. Each says what it did and whether the safeguard held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.project import Project
from mesh.errors import MeshError
from mesh.home import Home

__all__ = ["DRILLS", "foreign_write", "try_to_write"]

SEND_TIMEOUT_S = 15.0


def foreign_write(project: Project, home: Home, endpoint: Endpoint) -> dict[str, object]:
    """Every principal writes, with its own real secret, to every topic that is not its own.

    The broker must refuse each, with TOPIC_AUTHORIZATION_FAILED.
    """
    everyone = (*sorted(project.products), *project.systems, *sorted(project.people))
    # On the host of a mesh in containers only some secrets are there to be tried.
    names = [name for name in everyone if home.secret_path(name).exists()]
    cases, missed = 0, []
    for name in names:
        topics = [
            each.topic for each in project.contracts.values() if project.writer_of(each) != name
        ]
        principal = Principal(name=name, secret=home.secret(name))
        answers = try_to_write(endpoint, principal, topics)
        cases += len(topics)
        missed += [
            f"{name} -> {topic}"
            for topic in topics
            if answers[topic] != KafkaError.TOPIC_AUTHORIZATION_FAILED
        ]
    is_ok = cases > 0 and not missed
    return {"drill": "foreign-write", "ok": is_ok, "cases": cases, "missed": missed}


def try_to_write(
    endpoint: Endpoint, principal: Principal, topics: Sequence[str]
) -> dict[str, int | None]:
    """Write one message to each of *topics*; Kafka's error codes, None for what was taken.

    Raises a `BackboneError` where Kafka did not answer at all.
    """
    outcome: dict[str, KafkaError | None] = {}
    producer = Producer(
        {**endpoint.client(principal), "message.timeout.ms": int(SEND_TIMEOUT_S * 1000)}
    )

    def note(error: KafkaError | None, message: Message) -> None:
        outcome[str(message.topic())] = error

    for topic in topics:
        try:
            producer.produce(topic, key=b"drill", value=None, on_delivery=note)
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"write {topic}") from exception
    producer.flush(SEND_TIMEOUT_S + 5)
    for topic in topics:
        if topic not in outcome:
            raise MeshError(f"Kafka did not answer {principal.name}'s write to {topic}")
    return {topic: None if error is None else int(error.code()) for topic, error in outcome.items()}


DRILLS: Mapping[str, Callable[[Project, Home, Endpoint], dict[str, object]]] = {
    "foreign-write": foreign_write,
}
