"""How tests put products into a catalogue on a real Kafka, in each of the three ways."""

from __future__ import annotations

import ast
import io
from pathlib import Path
from typing import Any

import fastavro

from mesh.backbone.wire import frame
from mesh.contract.catalogue import DESCRIPTOR_SCHEMA, descriptor_topic
from mesh.contract.descriptor import descriptor_in
from mesh.control.registering import put_descriptor
from mesh.testing.messages import send_all
from tests.catalogue import Catalogue, wait_until
from tests.repository import ROOT

__all__ = [
    "encoded",
    "imports_of",
    "joined",
    "joined_as",
    "register",
    "send",
    "verdict",
    "withdraw",
    "without_times",
]


def joined(catalogue: Catalogue, name: str) -> str:
    """Make a principal of a domain of its own, and wait for its topic."""
    domain = f"{name}-domain"
    catalogue.join(name, domain)
    topic = descriptor_topic(domain, name)
    admin = catalogue.bench.backbone.administrator()
    wait_until(lambda: topic in admin.topic_partitions())
    wait_until(lambda: is_registered(catalogue, f"{topic}-value"))
    return domain


def is_registered(catalogue: Catalogue, subject: str) -> bool:
    return catalogue.bench.registry.find(subject, DESCRIPTOR_SCHEMA) is not None


def verdict(catalogue: Catalogue, id_: str) -> dict[str, Any]:
    answer = catalogue.ask("GET", f"/verdicts/{id_}")
    return answer.json() if answer.is_success else {"state": "none"}


def send(catalogue: Catalogue, id_: str, domain: str, value: bytes | None) -> None:
    client = catalogue.bench.backbone.endpoint.client(catalogue.bench.principal(id_))
    send_all(client, descriptor_topic(domain, id_), [{"key": id_, "value": value}])


def encoded(catalogue: Catalogue, id_: str, domain: str, record: dict[str, Any]) -> bytes:
    subject = f"{descriptor_topic(domain, id_)}-value"
    schema_id = catalogue.bench.registry.find(subject, DESCRIPTOR_SCHEMA)
    assert schema_id is not None
    datum = io.BytesIO()
    fastavro.schemaless_writer(datum, DESCRIPTOR_SCHEMA, record)
    return frame(schema_id, datum.getvalue())


def withdraw(catalogue: Catalogue, id_: str) -> None:
    assert catalogue.ask("DELETE", f"/products/{id_}", id_).json()["state"] == "withdrawn"


def register(catalogue: Catalogue, folder: Path, id_: str) -> None:
    """What `mesh register` does with a folder."""
    found = descriptor_in(folder)
    said = put_descriptor(catalogue.address, catalogue.token(id_), found)
    assert said["state"] == "accepted", said


def imports_of(name: str) -> set[str]:

    tree = ast.parse((ROOT / "examples" / name).read_text())
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


# What changes by itself: the broker's time is a little later than ours, looks go on.
CHANGING = ("accepted_at", "history", "observed", "rung", "standing", "state", "tests")


def without_times(document: Any) -> Any:
    """A document without when it was accepted, and what was observed since."""
    if isinstance(document, dict):
        return {k: without_times(v) for k, v in document.items() if k not in CHANGING}
    return [without_times(each) for each in document] if isinstance(document, list) else document


def joined_as(catalogue: Catalogue, name: str, domain: str) -> None:
    catalogue.join(name, domain)
    topic = descriptor_topic(domain, name)
    wait_until(lambda: is_registered(catalogue, f"{topic}-value"))
