"""What stands around a batch's messages: CloudEvents attributes, trace and salt, as headers.

Made column by column, since a header made row by row costs more than sending its message.
Not here: the values (`outbox`), sending them (`relay`).
Sources: CloudEvents 1.0 Kafka protocol binding (binary mode); W3C Trace Context, level 1.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import repeat

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.trace import child_traceparents
from mesh.backbone.wire import (
    CE_ID,
    CE_TIME,
    SALT,
    SALT_BYTES,
    TRACEPARENT,
    cloud_event_headers,
)

__all__ = ["Outgoing", "outgoing"]

# Topic, value, key and headers, in the order in which `Producer.produce` takes the first three.
Header = tuple[str, str | bytes | None]
Outgoing = tuple[str, bytes | None, bytes, list[Header]]


def outgoing(outbox: pa.Table, source: str) -> Iterator[Outgoing]:
    """The messages of *outbox* with their headers, one after the other.

    *source* is the product's CloudEvents source; a message's adds the port.
    """
    topics, keys, values = (outbox[name].to_pylist() for name in ("topic", "key", "value"))
    shared = {
        topic: cloud_event_headers(source=f"{source}/{port_of(topic)}", type_=topic)
        for topic in set(topics)
    }
    own = zip(
        named(CE_ID, outbox["id"].to_pylist()),
        named(CE_TIME, rfc_3339(outbox["time"])),
        named(TRACEPARENT, child_traceparents(outbox["trace"])),
        named(SALT, new_salts(outbox.num_rows)),
        strict=True,
    )
    for topic, value, key, headers in zip(topics, values, keys, own, strict=True):
        yield topic, value, key, [*shared[topic], *headers]


def named(name: str, column: Iterable[str | bytes]) -> Iterator[Header]:
    """One header of every message."""
    return zip(repeat(name), column, strict=False)


def rfc_3339(instants: pa.ChunkedArray) -> list[str]:
    """Instants in UTC as CloudEvents wants them, to the microsecond."""
    # The cast is ten times faster than `strftime`, and has a space where the T belongs.
    texts = instants.cast(pa.timestamp("us")).cast(pa.string())
    texts = pc.utf8_replace_slice(texts, 10, 11, "T")
    found: list[str] = pc.binary_join_element_wise(texts, "Z", "").to_pylist()
    return found


def new_salts(count: int) -> list[bytes]:
    """As many salts of random bytes, which blind the messages in the change audit log."""
    drawn = os.urandom(SALT_BYTES * count)
    return [drawn[start : start + SALT_BYTES] for start in range(0, len(drawn), SALT_BYTES)]


def port_of(topic: str) -> str:
    """What a topic's name says of the port: `calls`, or `finished-calls/rejected`."""
    return "/".join(topic.split(".")[3:-1])
