"""What a product is about to say: rows become messages.

The outbox is an Arrow table, so that a batch is encoded, stored and published column by
column. Not here: what is refused (`rejection`), storing (`storage`), publishing (`relay`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.avro import Encoder
from mesh.backbone.keys import keys
from mesh.contract.model import Contract
from mesh.product.causes import INSTANT
from mesh.product.transform import CAUSE

__all__ = [
    "LARGEST_MESSAGE",
    "OUTBOX",
    "REJECTED_ARROW",
    "REJECTED_SCHEMA",
    "Publisher",
    "constant",
    "event_ids",
    "no_messages",
    "too_large",
]

# Key and value. Kafka's clients send 1,000,000 bytes by default, but DuckDB reads rows by 2,048 at
# a time: what is kept must fit into a product's memory as often as that.
LARGEST_MESSAGE = 65_536

# One message to publish. *id* and *time* are CloudEvents attributes; *trace* is the
# traceparent of the cause; a null *value* is a tombstone.
OUTBOX = pa.schema(
    [
        ("topic", pa.string()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("id", pa.string()),
        ("time", INSTANT),
        ("trace", pa.string()),
    ]
)

REJECTED_SCHEMA: dict[str, object] = {
    "type": "record",
    "name": "rejected",
    "namespace": "mesh",
    "doc": "One row per message or row that broke a contract, as it was, with the reason.",
    "fields": [
        {"name": "topic", "type": "string", "doc": "where it came from"},
        {"name": "partition", "type": "int"},
        {"name": "offset", "type": "long"},
        {"name": "key", "type": ["null", "bytes"], "default": None},
        {"name": "value", "type": ["null", "bytes"], "default": None},
        {"name": "port", "type": "string", "doc": "whose contract it breaks"},
        {"name": "field", "type": ["null", "string"], "default": None},
        {"name": "rule", "type": "string"},
        {"name": "reason", "type": "string"},
        {
            "name": "rejected_at",
            "type": {"type": "long", "logicalType": "timestamp-micros"},
        },
        {
            "name": "sent_at",
            "type": ["null", {"type": "long", "logicalType": "timestamp-micros"}],
            "default": None,
            "doc": "Kafka's time of what it came from",
        },
        {
            "name": "attempt",
            "type": ["null", "long"],
            "default": None,
            "doc": "of a replay: the offset on the retry topic; what was rejected stands before",
        },
    ],
}
REJECTED_ARROW = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("port", pa.string()),
        ("field", pa.string()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("rejected_at", INSTANT),
        ("sent_at", INSTANT),
        ("attempt", pa.int64()),
    ]
)


class Publisher:
    """Makes the messages of one output port."""

    def __init__(self, contract: Contract, schema: dict[str, object], schema_id: int) -> None:
        self.contract = contract
        self._encoder = Encoder(schema)
        self._schema_id = schema_id

    def values(self, fields: pa.Table) -> pa.ChunkedArray:
        """The message values of rows of the contract's fields."""
        return self._encoder.column(fields, self._schema_id)

    def messages(self, rows: pa.Table, causes: pa.Table) -> pa.Table:
        """The outbox of *rows* (the contract's fields and `_cause`, in order of cause)."""
        indices = rows[CAUSE].combine_chunks()
        origin = causes.take(indices)
        fields = rows.drop_columns([CAUSE])
        return pa.table(
            {
                "topic": constant(self.contract.topic, rows.num_rows),
                "key": keys(fields, self.contract),
                "value": self.values(fields),
                "id": event_ids(origin, ordinals(indices)),
                "time": origin["time"],
                "trace": origin["trace"],
            },
            schema=OUTBOX,
        )

    def tombstones(self, key_fields: pa.Table, causes: pa.Table) -> pa.Table:
        """The outbox that deletes the rows with *key_fields* (and `_cause`)."""
        indices = key_fields[CAUSE].combine_chunks()
        origin = causes.take(indices)
        return pa.table(
            {
                "topic": constant(self.contract.topic, key_fields.num_rows),
                "key": keys(key_fields.drop_columns([CAUSE]), self.contract),
                "value": pa.nulls(key_fields.num_rows, pa.binary()),
                "id": event_ids(origin, ordinals(indices)),
                "time": origin["time"],
                "trace": origin["trace"],
            },
            schema=OUTBOX,
        )


def too_large(messages: pa.Table) -> pa.ChunkedArray:
    """Which of *messages* Kafka would not take."""
    value = pc.fill_null(pc.binary_length(messages["value"]), 0)
    return pc.greater(pc.add(pc.binary_length(messages["key"]), value), LARGEST_MESSAGE)


def no_messages() -> pa.Table:
    """An empty outbox."""
    return OUTBOX.empty_table()


def constant(value: object, count: int, type_: pa.DataType | None = None) -> pa.Array:
    """*count* times the same value."""
    return pa.repeat(pa.scalar(value, type_), count)


def ordinals(causes: pa.Array) -> pa.Array:
    """How many rows of the same cause stand before each row; causes are sorted."""
    runs = pc.run_end_encode(causes)
    ends = runs.run_ends
    if len(ends) == len(causes):
        return pa.repeat(pa.scalar(0, pa.int64()), len(causes))
    counted: list[int] = []
    for start, end in zip([0, *ends.to_pylist()[:-1]], ends.to_pylist(), strict=True):
        counted += range(end - start)
    return pa.array(counted, pa.int64())


def event_ids(origin: pa.Table, ordinal: pa.Array) -> pa.ChunkedArray:
    """CloudEvents ids `topic/partition/offset/ordinal`: the same cause gives the same id."""
    parts = [origin["topic"], origin["partition"], origin["offset"], ordinal]
    return pc.binary_join_element_wise(*(pc.cast(each, pa.string()) for each in parts), "/")
