"""A data product that imports nothing of the mesh: it joins by topic, schema and HTTP alone.

    mesh principal add call-ratings --domain marketing
    python examples/call_ratings.py BOOTSTRAP REGISTRY CATALOGUE SECRET_FILE

It describes itself on its own topic, waits until the catalogue has accepted it and its topic is
there, and writes three ratings. What it needs to know stands in docs/catalogue.md.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import fastavro
from confluent_kafka import Producer

NAME, DOMAIN = "call-ratings", "marketing"
DESCRIPTOR_TOPIC = f"priv.{DOMAIN}.{NAME}.descriptor.v1"
TOPIC = f"pub.{DOMAIN}.{NAME}.ratings.v1"
OWNER = {"username": "ratings@telco.example", "role": "owner"}
PATIENCE_S = 60.0

PRODUCT: dict[str, Any] = {
    "apiVersion": "v1.1.0",
    "kind": "DataProduct",
    "id": NAME,
    "name": "Call ratings",
    "version": "1.0.0",
    "status": "active",
    "domain": DOMAIN,
    "description": {"purpose": "How callers rate their calls."},
    "outputPorts": [
        {
            "name": "ratings",
            "description": "One row per rating.",
            "type": "topic",
            "version": "1.0.0",
            "contractId": f"{NAME}.ratings",
        }
    ],
    "managementPorts": [
        {"name": each, "content": each, "type": "rest", "description": f"Its {each}."}
        for each in ("discoverability", "observability", "control", "dictionary")
    ],
    "team": {"name": "Ratings", "members": [OWNER]},
    "support": [{"channel": "ratings", "url": "mailto:ratings@telco.example", "tool": "email"}],
}
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.2.0",
    "kind": "DataContract",
    "id": f"{NAME}.ratings",
    "name": "Ratings of calls",
    "version": "1.0.0",
    "status": "active",
    "domain": DOMAIN,
    "description": {"purpose": "How callers rate their calls.", "limitations": "Few answer."},
    "schema": [
        {
            "name": "ratings",
            "physicalType": "topic",
            "physicalName": TOPIC,
            "description": "One row per rating.",
            "properties": [
                {
                    "name": "call_id",
                    "logicalType": "string",
                    "logicalTypeOptions": {"format": "uuid"},
                    "description": "The call that was rated.",
                    "required": True,
                    "primaryKey": True,
                    "customProperties": [{"property": "identifier", "value": "call-id"}],
                },
                {
                    "name": "stars",
                    "logicalType": "integer",
                    "logicalTypeOptions": {"minimum": 1, "maximum": 5},
                    "description": "From 1, bad, to 5, good.",
                    "required": True,
                },
            ],
        }
    ],
    "team": {"name": "Ratings", "members": [OWNER]},
    "slaProperties": [{"property": "latency", "value": 60, "unit": "s"}],
    "customProperties": [
        {"property": "portKind", "value": "event"},
        {"property": "retention", "value": "P30D"},
        {"property": "access", "value": "auto"},
    ],
}


def main(bootstrap: str, registry: str, catalogue: str, secret_file: str) -> None:
    """Join, and write three ratings."""
    producer = producer_of(NAME, bootstrap, secret_file)
    descriptor = {"id": NAME, "product": json.dumps(PRODUCT), "contracts": [json.dumps(CONTRACT)]}
    join(producer, registry, catalogue, DESCRIPTOR_TOPIC, descriptor)
    rows = [(uuid.UUID(int=n), {"call_id": uuid.UUID(int=n), "stars": n}) for n in (1, 3, 5)]
    write(producer, registry, TOPIC, [(str(key), row) for key, row in rows])
    sys.stdout.write(f"{NAME} has joined, and wrote {len(rows)} ratings to {TOPIC}\n")


def producer_of(name: str, bootstrap: str, secret_file: str) -> Producer:
    """A producer of the principal *name*."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": name,
            "sasl.password": Path(secret_file).read_text().strip(),
            "enable.idempotence": True,
        }
    )


def join(
    producer: Producer, registry: str, catalogue: str, topic: str, descriptor: dict[str, Any]
) -> None:
    """Describe a product on its *topic*, and wait until the catalogue has accepted it."""
    name = descriptor["id"]
    write(producer, registry, topic, [(name, {**descriptor, "sql": {}})])
    verdict = wait_for(f"{catalogue}/verdicts/{name}")
    if verdict["state"] != "accepted":
        sys.exit(f"refused: {json.dumps(verdict['findings'])}")


def write(
    producer: Producer, registry: str, topic: str, rows: list[tuple[str, dict[str, Any]]]
) -> None:
    """Write rows in the Confluent wire format, by the schema that is registered for the topic."""
    found = wait_for(f"{registry}/subjects/{topic}-value/versions/latest")
    schema = fastavro.parse_schema(json.loads(found["schema"]))
    failures: list[object] = []
    for key, row in rows:
        datum = io.BytesIO()
        fastavro.schemaless_writer(datum, schema, row)
        producer.produce(
            topic,
            key=key,
            value=struct.pack(">bI", 0, found["id"]) + datum.getvalue(),
            # Without it the change audit log could not commit to what may be personal.
            headers={"salt": os.urandom(32)},
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    if producer.flush(PATIENCE_S) or failures:
        sys.exit(f"Kafka did not take what was written to {topic}: {failures}")


def wait_for(url: str) -> dict[str, Any]:
    """The JSON at an address, as soon as it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - given by whoever starts us
                document: dict[str, Any] = json.load(answer)
                return document
        except urllib.error.URLError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{url} does not answer as it should: {error}")
            time.sleep(0.3)


if __name__ == "__main__":
    main(*sys.argv[1:])
