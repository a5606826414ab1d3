"""The catalogue's names: its principal, its topics, and the schemas of what they carry.

They are the whole of what somebody needs to join without our code (docs/catalogue.md).
Not here: who may do what with them (`mesh.control.joined`), and the catalogue itself.
"""

from __future__ import annotations

__all__ = [
    "CATALOGUE",
    "DESCRIPTOR_SCHEMA",
    "EVIDENCE_SCHEMA",
    "EVIDENCE_TOPIC",
    "OWN_TOPICS",
    "PAGES",
    "PRODUCTS_TOPIC",
    "PRODUCT_SCHEMA",
    "SERVICE",
    "VERDICTS_TOPIC",
    "VERDICT_SCHEMA",
    "descriptor_topic",
]

CATALOGUE = "mesh-catalogue"
SERVICE = "catalogue"
# For whom a token is that the catalogue's pages use in a person's name; no product is called so.
PAGES = "catalogue.pages"
PRODUCTS_TOPIC = "pub.mesh.catalogue.products.v1"
VERDICTS_TOPIC = "pub.mesh.catalogue.verdicts.v1"
EVIDENCE_TOPIC = "pub.mesh.catalogue.evidence.v1"

_TEXT: object = "string"

DESCRIPTOR_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "descriptor",
    "namespace": "mesh.catalogue",
    "doc": "One row per product: what it says of itself. Key: its id.",
    "fields": [
        {"name": "id", "type": _TEXT},
        {"name": "product", "type": _TEXT, "doc": "ODPS 1.1.0, YAML or JSON."},
        {
            "name": "contracts",
            "type": {"type": "array", "items": _TEXT},
            "doc": "ODCS 3.2.0, YAML or JSON, one text a port.",
        },
        {
            "name": "sql",
            "type": {"type": "map", "values": _TEXT},
            "default": {},
            "doc": "The text of each SQL file by its name, where the mesh runs the product.",
        },
    ],
}
PRODUCT_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "accepted_product",
    "namespace": "mesh.catalogue",
    "doc": "One row per product that the catalogue accepted.",
    "fields": [
        {"name": "id", "type": _TEXT},
        {"name": "domain", "type": _TEXT},
        {"name": "version", "type": _TEXT},
        {"name": "owner", "type": _TEXT},
        {"name": "descriptor", "type": _TEXT, "doc": "JSON: sorted keys, no blanks."},
        {"name": "digest", "type": _TEXT, "doc": "SHA-256 of `descriptor`, in hexadecimal."},
    ],
}
_FINDING: dict[str, object] = {
    "type": "record",
    "name": "finding",
    "fields": [{"name": name, "type": _TEXT} for name in ("level", "rule", "place")]
    + [{"name": name, "type": _TEXT} for name in ("problem", "remedy")],
}
VERDICT_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "verdict",
    "namespace": "mesh.catalogue",
    "doc": "One row per product: what its last attempt met.",
    "fields": [
        {"name": "id", "type": _TEXT},
        {"name": "state", "type": _TEXT, "doc": "accepted, refused or withdrawn."},
        {"name": "via", "type": _TEXT, "doc": "event or http."},
        {"name": "digest", "type": _TEXT, "doc": "Of what was sent; empty where unreadable."},
        {"name": "findings", "type": {"type": "array", "items": _FINDING}},
    ],
}
EVIDENCE_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "observation",
    "namespace": "mesh.catalogue",
    "doc": "One row per look of the catalogue at a product.",
    "fields": [
        {"name": "product", "type": _TEXT},
        {"name": "observed_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "observation", "type": _TEXT, "doc": "JSON."},
    ],
}
OWN_TOPICS: dict[str, dict[str, object]] = {
    PRODUCTS_TOPIC: PRODUCT_SCHEMA,
    VERDICTS_TOPIC: VERDICT_SCHEMA,
    EVIDENCE_TOPIC: EVIDENCE_SCHEMA,
}


def descriptor_topic(domain: str, product: str) -> str:
    """The topic on which *product* describes itself, and nobody else."""
    return f"priv.{domain}.{product}.descriptor.v1"
