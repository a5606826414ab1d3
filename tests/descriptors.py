"""Descriptors of small products, as documents and as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from mesh.contract.descriptor import Descriptor

__all__ = ["as_descriptor", "descriptor_of"]


TEAM = {"name": "Test", "members": [{"username": "test@telco.example", "role": "owner"}]}
MANAGEMENT = ("discoverability", "observability", "control", "dictionary")


def descriptor_of(
    id_: str = "ratings",
    domain: str = "marketing",
    *,
    port: Mapping[str, Any] | None = None,
    product: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A small product and its only contract, as documents; *port* and *product* replace keys."""
    head = {"name": id_, "version": "1.0.0", "status": "active", "domain": domain, "team": TEAM}
    return (
        {**product_document(id_), **head, **(product or {})},
        {**contract_document(id_, domain), **head, **(port or {})},
    )


def product_document(id_: str) -> dict[str, Any]:
    """What a product with one port says of itself."""
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": id_,
        "description": {"purpose": "How callers rate their calls."},
        "outputPorts": [
            {"name": "stars", "description": "One row per rating.", "type": "topic",
             "version": "1.0.0", "contractId": f"{id_}.stars"},
        ],
        "managementPorts": [
            {"name": each, "content": each, "type": "rest", "description": each}
            for each in MANAGEMENT
        ],
        "support": [{"channel": "test", "url": "mailto:test@telco.example", "tool": "email"}],
    }  # fmt: skip


def contract_document(id_: str, domain: str) -> dict[str, Any]:
    """What its port promises."""
    fields = [
        {"name": "call_id", "logicalType": "string", "description": "The call.", "required": True,
         "primaryKey": True, "customProperties": [{"property": "identifier", "value": "call-id"}]},
        {"name": "stars", "logicalType": "integer", "description": "1 to 5.", "required": True},
    ]  # fmt: skip
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": f"{id_}.stars",
        "description": {"purpose": "Ratings.", "limitations": "None."},
        "schema": [
            {"name": "stars", "physicalType": "topic", "description": "One row per rating.",
             "physicalName": f"pub.{domain}.{id_}.stars.v1", "properties": fields}
        ],
        "slaProperties": [{"property": "latency", "value": 60, "unit": "s"}],
        "customProperties": [
            {"property": "portKind", "value": "event"},
            {"property": "access", "value": "auto"},
            {"property": "retention", "value": "P30D"},
        ],
    }  # fmt: skip


def as_descriptor(
    product: Mapping[str, Any], *contracts: Mapping[str, Any], sql: Mapping[str, str] | None = None
) -> Descriptor:
    """Documents as a descriptor, in YAML."""
    return Descriptor(
        id=str(product["id"]),
        product=yaml.safe_dump(dict(product)),
        contracts=tuple(yaml.safe_dump(dict(each)) for each in contracts),
        sql=sql or {},
    )
