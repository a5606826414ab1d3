"""Where rows come from: the messages of a batch by place, time and trace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

__all__ = ["CAUSES", "INSTANT", "causes_of", "headers_of", "trace_of"]

# The last that Python can say.
LATEST_MS = 253_402_300_799_999
INSTANT = pa.timestamp("us", tz="UTC")

# Where a batch's rows came from, in the order of their `_cause`.
CAUSES = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("time", INSTANT),
        ("trace", pa.string()),
    ]
)


def causes_of(messages: Sequence[Message], *, is_traced: bool = True) -> pa.Table:
    """Where each message stands in Kafka, when the broker or its writer stamped it, its trace.

    If not *is_traced*, only the newest has its trace: a state port names no other. A message
    whose trace was read has no headers any more.
    """
    # A message without a time says -1.
    times = [min(max(0, message.timestamp()[1]), LATEST_MS) for message in messages]
    traces: list[str | None] = []
    if is_traced:
        traces = [taken_trace(message) for message in messages]
    elif messages:
        traces, newest = [None] * len(messages), times.index(max(times))
        traces[newest] = taken_trace(messages[newest])
    return pa.table(
        {
            "topic": [message.topic() for message in messages],
            "partition": [message.partition() for message in messages],
            "offset": [message.offset() for message in messages],
            # Kafka counts milliseconds, we microseconds.
            "time": pc.multiply(pa.array(times, pa.int64()), 1000).cast(INSTANT),
            "trace": traces,
        },
        schema=CAUSES,
    )


def taken_trace(message: Message) -> str | None:
    """The same as `trace_of`, and the message forgets its headers.

    Of a batch, they would be 90,000 objects: collecting garbage among them, again and again while
    they come, took as long as all else of their way in.
    """
    trace = trace_of(message)
    message.set_headers([])
    return trace


def headers_of(message: Message) -> Any:
    """The message's headers, as pairs; None where a name is no UTF-8: the client cannot tell it."""
    try:
        return message.headers() or ()
    except (SystemError, UnicodeDecodeError):
        # Asked again, it would hand out what it has half made.
        message.set_headers([])
        return None


def trace_of(message: Message) -> str | None:
    """The message's W3C `traceparent`, if it has one that is text."""
    for name, value in headers_of(message) or ():
        if name == "traceparent":
            return value.decode("ascii", "replace") if isinstance(value, bytes) else value
    return None
