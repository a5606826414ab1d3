"""A relation of marketing's: under which contract somebody subscribed with an e-mail address.

    mesh principal add email-contracts --domain marketing
    python examples/email_contracts.py BOOTSTRAP REGISTRY CATALOGUE SECRET_FILE

It imports nothing of the mesh, and joins as `call_ratings.py` does. A port that carries a
relation grants itself to the key ring, which reads it without an edit or a restart; all such
ports have these seven fields (docs/key-ring.md).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from call_ratings import CONTRACT, OWNER, PRODUCT, join, producer_of, write

NAME, DOMAIN, PORT = "email-contracts", "marketing", "email-address-contract"
TOPIC = f"pub.{DOMAIN}.{NAME}.{PORT}.v1"
PURPOSE = "Under which contract somebody subscribed with an e-mail address."


def field(name: str, type_: str, description: str, **more: Any) -> dict[str, Any]:
    """One field of the contract."""
    return {"name": name, "logicalType": type_, "description": description, **more}


def end(name: str, identifier: str) -> dict[str, Any]:
    """One end of the link: an identifier of the company's list."""
    said = [
        {"property": "identifier", "value": identifier},
        {"property": "personal", "value": True},
    ]
    description = f"The {identifier}."
    secret = {"required": True, "classification": "confidential", "customProperties": said}
    return field(name, "string", description, **secret)


RELATION: dict[str, Any] = {
    **CONTRACT,
    "id": f"{NAME}.{PORT}",
    "name": "Contracts of e-mail addresses",
    "description": {"purpose": PURPOSE, "limitations": "Subscribers only."},
    "schema": [
        {
            "name": PORT.replace("-", "_"),
            "physicalType": "topic",
            "physicalName": TOPIC,
            "description": "One row per statement about a link.",
            "properties": [
                field("statement_id", "string", "Its id.", required=True, primaryKey=True),
                field("link_id", "string", "The link; a correction has the same.", required=True),
                end("from_id", "email-address"),
                end("to_id", "contract-number"),
                field("valid_from", "timestamp", "Since when; empty: ever."),
                field("valid_to", "timestamp", "Up to when, not at; empty: still."),
                field("retracted", "boolean", "The link is taken back.", required=True),
            ],
        }
    ],
    "customProperties": [
        {"property": "portKind", "value": "event"},
        {"property": "partitions", "value": 1},
        {"property": "retention", "value": "forever"},
        {"property": "access", "value": "ask"},
        {"property": "purpose", "value": PURPOSE},
        {
            "property": "relation",
            "value": {
                "from": "email-address",
                "to": "contract-number",
                "cardinality": "many-to-one",
                "meaning": PURPOSE,
                "validFrom": "valid_from",
                "validTo": "valid_to",
            },
        },
    ],
}
LINKS: dict[str, Any] = {
    **PRODUCT,
    "id": NAME,
    "name": "Contracts of e-mail addresses",
    "description": {"purpose": PURPOSE},
    "outputPorts": [
        {
            "name": PORT,
            "description": "One row per statement about a link.",
            "type": "topic",
            "version": "1.0.0",
            "contractId": f"{NAME}.{PORT}",
        }
    ],
    "team": {"name": "Newsletter", "members": [OWNER]},
}


def main(bootstrap: str, registry: str, catalogue: str, secret_file: str) -> None:
    """Join, and state one link."""
    producer = producer_of(NAME, bootstrap, secret_file)
    descriptor = {"id": NAME, "product": json.dumps(LINKS), "contracts": [json.dumps(RELATION)]}
    join(producer, registry, catalogue, f"priv.{DOMAIN}.{NAME}.descriptor.v1", descriptor)
    link = {
        "statement_id": "newsletter-1/1",
        "link_id": "newsletter-1",
        "from_id": "ada@telco.example",
        "to_id": "C-000057182",
        "valid_from": None,
        "valid_to": None,
        "retracted": False,
    }
    write(producer, registry, TOPIC, [(str(link["statement_id"]), link)])
    sys.stdout.write(f"{NAME} has joined, and said {link['from_id']} is under {link['to_id']}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
