r"""What surrounds a datum on the bus: framing, keys, and the names of headers.

Not here: the datum itself (`avro`), traces (`trace`), a batch's headers (`mesh.product.envelope`).
Sources: the Confluent wire format; CloudEvents 1.0 Kafka protocol binding (binary mode).

    unframe(frame(7, b"\x02"))   # (7, b'\x02')
    unframe(b"{}")              # Unreadable(reason='…')
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mesh.backbone.keys import keys

__all__ = [
    "CE_ID",
    "CE_SUBJECT",
    "CE_TIME",
    "HEADER_BYTES",
    "SALT",
    "SALT_BYTES",
    "TRACEPARENT",
    "Unreadable",
    "cloud_event_headers",
    "frame",
    "header",
    "keys",
    "salt_header",
    "schema_ids",
    "unframe",
]

CE_ID = "ce_id"
CE_TIME = "ce_time"
CE_SUBJECT = "ce_subject"
TRACEPARENT = "traceparent"
SALT = "salt"
SALT_BYTES = 32

_HEADER = struct.Struct(">bI")
HEADER_BYTES = _HEADER.size


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


def schema_ids(values: pa.Array) -> npt.NDArray[np.int64]:
    """The schema's id of each of many message values, -1 where `unframe` says why it has none."""
    ids = np.full(len(values), -1, np.int64)
    if not len(values):
        return ids
    bounds = np.frombuffer(values.buffers()[1], np.int32)[values.offset :][: len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)
    is_long = np.diff(bounds) >= HEADER_BYTES
    heads = data[bounds[:-1][is_long][:, None].astype(np.int64) + np.arange(HEADER_BYTES)]
    found = np.ascontiguousarray(heads[:, 1:]).view(">u4")[:, 0].astype(np.int64)
    ids[is_long] = np.where(heads[:, 0] == 0, found, -1)
    return ids


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


def salt_header() -> list[tuple[str, str | bytes | None]]:
    """The header that blinds one message in the change audit log; `envelope` makes many."""
    return [(SALT, os.urandom(SALT_BYTES))]
