"""Says on the mesh's public topic what was erased: by which request, how many, and a digest.

So messages that are gone can be told from messages that were removed. Never of whom.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded, encoded
from mesh.backbone.registry import Registry
from mesh.backbone.wire import salt_header
from mesh.contract.audit import ERASURE_SCHEMA, ERASURES_TOPIC
from mesh.errors import BackboneError
from mesh.product.readback import read_back

__all__ = ["digest", "of_topics", "said", "say"]

TIMEOUT_S = 30.0


def digest(places: Iterable[tuple[int, int]]) -> str:
    """SHA-256 of a line PARTITION/OFFSET each, sorted by number."""
    lines = "".join(f"{partition}/{offset}\n" for partition, offset in sorted(places))
    return hashlib.sha256(lines.encode()).hexdigest()


def of_topics(logs: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """What was erased of each topic, as the audit logs of its partitions tell."""
    places: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for each in logs:
        found = places.setdefault((each["topic"], each["topic_id"]), [])
        found += [(each["partition"], offset) for offset in each["erased"]]
    return [
        {"topic": topic, "topic_id": id_, "messages": len(found), "digest": digest(found)}
        for (topic, id_), found in sorted(places.items())
        if found
    ]


def said(endpoint: Endpoint, principal: Principal, request: str) -> dict[str, Any] | None:
    """The last that was said of *request*, if anything. Raises a `BackboneError`."""
    last = None
    for chunk in read_back(endpoint, principal, ERASURES_TOPIC):
        for each in chunk:
            value = each.value()
            if each.key() == request.encode() and value is not None:
                last = decoded(value, ERASURE_SCHEMA)
    return last


def say(
    endpoint: Endpoint, principal: Principal, request: str, topics: Sequence[Mapping[str, object]]
) -> None:
    """Say what *request* has erased, unless just that was said. Raises a `BackboneError`."""
    before = said(endpoint, principal, request)
    if before is not None and before["topics"] == topics:
        return
    with Registry(endpoint) as registry:
        schema_id = registry.find(f"{ERASURES_TOPIC}-value", ERASURE_SCHEMA)
    if schema_id is None:
        raise BackboneError(f"the schema of {ERASURES_TOPIC} is not registered: run `mesh up`")
    record = {"request": request, "erased_at": time.time_ns() // 1000, "topics": topics}
    errors: list[KafkaError] = []
    producer = Producer({**endpoint.client(principal), "acks": "all", "linger.ms": 0})
    try:
        producer.produce(
            ERASURES_TOPIC,
            key=request,
            value=encoded(schema_id, ERASURE_SCHEMA, record),
            headers=salt_header(),
            on_delivery=lambda error, _: errors.append(error) if error else None,
        )
        if producer.flush(TIMEOUT_S) or errors:
            raise KafkaException(errors[0] if errors else KafkaError(KafkaError._TIMED_OUT))
    except KafkaException as exception:
        raise kafka_error(exception.args[0], "say what was erased") from exception
