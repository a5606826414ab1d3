r"""What surrounds a datum on the bus: framing, keys, CloudEvents and trace headers, salt.

Not here: the datum itself (`avro`), producers and consumers (`clients`).
Sources: the Confluent wire format; CloudEvents 1.0 Kafka protocol binding (binary mode);
W3C Trace Context, level 1.

    unframe(frame(7, b"\x02"))   # (7, b'\x02')
    unframe(b"{}")              # Unreadable(reason='…')
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass

from mesh.backbone.keys import keys

__all__ = [
    "CE_ID",
    "CE_SUBJECT",
    "CE_TIME",
    "SALT",
    "TRACEPARENT",
    "Unreadable",
    "child_traceparent",
    "cloud_event_headers",
    "frame",
    "header",
    "is_traceparent",
    "keys",
    "new_salt",
    "new_traceparent",
    "unframe",
]

CE_ID = "ce_id"
CE_TIME = "ce_time"
CE_SUBJECT = "ce_subject"
TRACEPARENT = "traceparent"
SALT = "salt"

_HEADER = struct.Struct(">bI")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


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


def is_traceparent(text: str) -> bool:
    """Whether *text* is a valid `traceparent` of version 00: neither id is all zeros."""
    found = _TRACEPARENT.fullmatch(text)
    return found is not None and found[1].strip("0") != "" and found[2].strip("0") != ""


def new_traceparent() -> str:
    """Return the start of a new trace, sampled."""
    return f"00-{_random_id(16)}-{_random_id(8)}-01"


def child_traceparent(parent: str | None) -> str:
    """Return a new span of the trace of *parent*, or of a new trace if that is none."""
    if parent is None or not is_traceparent(parent):
        return new_traceparent()
    version, trace_id, _, flags = parent.split("-")
    return f"{version}-{trace_id}-{_random_id(8)}-{flags}"


def new_salt() -> bytes:
    """Return 32 random bytes, which blind a message's commitment in the change audit log."""
    return os.urandom(32)


def _random_id(size: int) -> str:
    # The specification forbids an id of zeros only; the system's own source is five times
    # faster than `secrets`, which is a layer on it.
    while not any(drawn := os.urandom(size)):
        continue
    return drawn.hex()
