"""The names of the change audit log and of erasures: principals, service, topic and its schema."""

from __future__ import annotations

__all__ = ["AUDIT", "AUDIT_SERVICE", "ERASER", "ERASURES_TOPIC", "ERASURE_SCHEMA"]

AUDIT = "mesh-audit"
AUDIT_SERVICE = "audit"
ERASER = "mesh-erasure"
# What was erased, by whose request and when; never of whom.
ERASURES_TOPIC = "pub.mesh.audit.erasures.v1"

_OF_TOPIC: dict[str, object] = {
    "type": "record",
    "name": "erased_of_topic",
    "fields": [
        {"name": "topic", "type": "string"},
        {"name": "topic_id", "type": "string", "doc": "Kafka's, as in the log's origin."},
        {"name": "messages", "type": "long"},
        {
            "name": "digest",
            "type": "string",
            "doc": "SHA-256, in hexadecimal, of a line PARTITION/OFFSET each, sorted by number.",
        },
    ],
}
ERASURE_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "erasure",
    "namespace": "mesh.audit",
    "doc": "One row per erasure. Key: the request's id.",
    "fields": [
        {"name": "request", "type": "string"},
        {"name": "erased_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "topics", "type": {"type": "array", "items": _OF_TOPIC}},
    ],
}
