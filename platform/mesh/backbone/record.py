"""One record as a framed Avro message, for topics of few and long messages: the mesh's own.

What is published or taken in by the batch is made column by column (`avro`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import fastavro

from mesh.backbone.wire import Unreadable, frame, unframe

__all__ = ["decoded", "encoded"]


def encoded(schema_id: int, schema: Mapping[str, Any], record: Mapping[str, Any]) -> bytes:
    """*record* by *schema*, which is registered as *schema_id*."""
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(dict(schema)), record)
    return frame(schema_id, buffer.getvalue())


def decoded(value: bytes, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The record in a message of ours. Raises `ValueError` with the reason where it is none."""
    found = unframe(value)
    if isinstance(found, Unreadable):
        raise ValueError(found.reason)
    buffer = BytesIO(found[1])
    try:
        record = fastavro.schemaless_reader(buffer, fastavro.parse_schema(dict(schema)), None)
    except (EOFError, ValueError, IndexError, OverflowError, MemoryError, struct.error) as error:
        raise ValueError(f"the Avro datum is cut short or damaged ({error})") from error
    if buffer.read(1):
        raise ValueError("bytes are left over after the Avro datum")
    if not isinstance(record, dict):
        raise ValueError("the Avro datum is no record")
    return record
