r"""What surrounds a datum on the bus: framing, keys, and the names of headers.

Not here: the datum itself (`avro`), traces (`trace`), a batch's headers (`mesh.product.envelope`).
Sources: the Confluent wire format; CloudEvents 1.0 Kafka protocol binding (binary mode).

    unframe(frame(7, b"\x02"))   # (7, b'\x02')
    unframe(b"{}")              # Unreadable(reason='…')
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mesh.backbone.keys import keys

__all__ = [
    "CE_ID",
    "CE_SUBJECT",
    "CE_TIME",
    "SALT",
    "SALT_BYTES",
    "TRACEPARENT",
    "Unreadable",
    "cloud_event_headers",
    "frame",
    "header",
    "keys",
    "unframe",
]

CE_ID = "ce_id"
CE_TIME = "ce_time"
CE_SUBJECT = "ce_subject"
TRACEPARENT = "traceparent"
SALT = "salt"
SALT_BYTES = 32

_HEADER = struct.Struct(">bI")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be read, and why."""

    reason: str


def header(schema_id: int) -> bytes:
    """Return the five bytes before a datum: zero, and the schema's id in the registry."""
    return _HEADER.pack(0, schema_id)


def frame(schema_id: int, payload: bytes) -> bytes:
    """Return *payload* as a message value in the Confluent wire format."""
    return header(schema_id) + payload


def unframe(value: bytes) -> tuple[int, bytes] | Unreadable:
    """Return schema id and payload of a message value, or why it has none."""
    if len(value) < _HEADER.size:
        return Unreadable(
            f"the message has {len(value)} bytes, fewer than the {_HEADER.size} of a schema header"
        )
    magic, schema_id = _HEADER.unpack_from(value)
    if magic != 0:
        return Unreadable(
            f"the message starts with byte {value[0]:#04x}, not 0x00: it names no schema"
        )
    return schema_id, value[_HEADER.size :]


def cloud_event_headers(source: str, type_: str) -> list[tuple[str, bytes]]:
    """Return the CloudEvents headers that all messages of one port share.

    Each message adds `ce_id`, `ce_time` (RFC 3339, UTC) and, where it has one, `ce_subject`.
    """
    return [
        ("ce_specversion", b"1.0"),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("content-type", b"application/avro"),
    ]
