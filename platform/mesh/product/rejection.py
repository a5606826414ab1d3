"""What broke a contract: set aside with its origin, the rule and the reason, never published.

A message that we read is kept as its bytes, a row that we made as JSON. Not here: judging
them (`intake`, `mesh.contract.rules`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa
from confluent_kafka import Message

from mesh.backbone.avro import Encoder
from mesh.contract.rules import Violation
from mesh.product.causes import INSTANT, trace_of
from mesh.product.duck import as_json
from mesh.product.outbox import (
    LARGEST_MESSAGE,
    OUTBOX,
    REJECTED_ARROW,
    REJECTED_SCHEMA,
    constant,
    event_ids,
)
from mesh.product.transform import CAUSE, Failure

__all__ = [
    "NOTE",
    "SUPERSEDED",
    "Fault",
    "Rejection",
    "Rejector",
    "is_cut",
    "of_failures",
    "of_messages",
    "of_size",
    "refused",
]

# The rule of a replay that came too late: a newer row or a deletion stands for its key.
SUPERSEDED = "superseded"

# Of what is rejected. A larger message is refused for its size, whatever else of it is mended.
KEPT_VALUE, KEPT_KEY = LARGEST_MESSAGE, 10_000
NOTE = f" (only {KEPT_VALUE} bytes of the value and {KEPT_KEY} of the key are kept here)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a message did not become a row."""

    field: str | None
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One message or row that broke a contract: raw, where from, which rule, why.

    *key* is the message's, of a row we made the message's that caused it. *attempt* is that of
    a replay which was rejected again: its place on the retry topic.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    field: str | None
    rule: str
    reason: str
    trace: str | None = None
    sent_at: datetime | None = None
    attempt: int | None = None


class Rejector:
    """Makes the messages of one rejected topic."""

    def __init__(self, topic: str, schema_id: int) -> None:
        self._topic = topic
        self._encoder = Encoder(REJECTED_SCHEMA)
        self._schema_id = schema_id

    def messages(self, port: str, rejections: Sequence[Rejection]) -> pa.Table:
        """The outbox of *rejections*, which broke the contract *port*."""
        now = datetime.now(UTC)
        rows = [
            {
                "topic": each.topic,
                "partition": each.partition,
                "offset": each.offset,
                "port": port,
                "field": each.field,
                "rule": each.rule,
                "rejected_at": now,
                "sent_at": each.sent_at,
                "attempt": each.attempt,
                **kept(each),
            }
            for each in rejections
        ]
        table = pa.Table.from_pylist(rows, REJECTED_ARROW)
        count, marks = table.num_rows, repetitions(rejections)
        keys = [place_key(*each) for each in zip(rejections, marks.to_pylist(), strict=True)]
        return pa.table(
            {
                "topic": constant(self._topic, count),
                # Its origin, since the key of a bad message may be anything.
                "key": keys,
                "value": self._encoder.column(table, self._schema_id),
                "id": event_ids(table, marks),
                "time": constant(now, count, INSTANT),
                "trace": [each.trace for each in rejections],
            },
            schema=OUTBOX,
        )


def of_messages(
    messages: Sequence[Message], causes: pa.Table, faults: Mapping[int, Fault]
) -> list[Rejection]:
    """Rejections of the *messages* that have a fault by their number, in order, as they came."""
    numbers = sorted(faults)
    found = causes.take(pa.array(numbers, pa.int64())).to_pylist()
    return [
        Rejection(
            topic=cause["topic"],
            partition=cause["partition"],
            offset=cause["offset"],
            key=messages[number].key(),
            value=messages[number].value(),
            field=faults[number].field,
            rule=faults[number].rule,
            reason=faults[number].reason,
            trace=cause["trace"] or trace_of(messages[number]),
            sent_at=cause["time"],
        )
        for number, cause in zip(numbers, found, strict=True)
    ]


def refused(
    tables: Sequence[pa.Table], causes: pa.Table, violations: Sequence[Violation]
) -> list[Rejection]:
    """Rejections of rows of *tables* as JSON, one a row, with the first reason.

    *causes* may have the messages' `key` too.
    """
    first: dict[int, Violation] = {}
    for each in violations:
        first.setdefault(each.row, each)
    if not first:
        return []
    rows = pa.concat_tables(tables).take(pa.array(list(first), pa.int64()))
    texts = as_json(rows.drop_columns([CAUSE]))
    names = {"time": "sent_at"}
    origins = causes.take(rows[CAUSE].combine_chunks())
    origins = origins.rename_columns([names.get(each, each) for each in origins.column_names])
    return [
        Rejection(
            **{"key": None, **origin},
            value=text.encode(),
            field=each.field,
            rule=each.rule,
            reason=each.reason,
        )
        for origin, text, each in zip(origins.to_pylist(), texts, first.values(), strict=True)
    ]


def of_failures(failures: Sequence[Failure]) -> list[Violation]:
    """Why rows for which the query failed are refused."""
    return [
        Violation(row=number, field=None, rule=each.rule, reason=each.reason)
        for number, each in enumerate(failures)
    ]


def of_size(positions: Sequence[int]) -> list[Violation]:
    """Why rows are refused whose message Kafka would not take."""
    reason = f"its message is larger than {LARGEST_MESSAGE} bytes"
    return [Violation(row=each, field=None, rule="size", reason=reason) for each in positions]


def kept(rejection: Rejection) -> dict[str, object]:
    """What is kept of the message, and the reason, which says if that is not all of it.

    Of a replay nothing: what was rejected first has it, and is not kept longer for being tried.
    """
    key, value = rejection.key, rejection.value
    if rejection.attempt is not None:
        return {"key": None, "value": None, "reason": rejection.reason}
    is_whole = len(value or b"") <= KEPT_VALUE and len(key or b"") <= KEPT_KEY
    return {
        "key": key and key[:KEPT_KEY],
        "value": value and value[:KEPT_VALUE],
        "reason": rejection.reason + ("" if is_whole else NOTE),
    }


def is_cut(reason: str) -> bool:
    """Whether a rejection's reason says that not all of the message is kept."""
    return reason.endswith(NOTE)


def place_key(rejection: Rejection, mark: str) -> bytes:
    """The key of a rejection: topic, partition and offset of its origin, in canonical form.

    No other rejection has it, so that whoever erases one erases no other.
    """
    place = [rejection.topic, str(rejection.partition), str(rejection.offset), mark]
    return json.dumps(place, separators=(",", ":"), ensure_ascii=False).encode()


def repetitions(rejections: Sequence[Rejection]) -> pa.Array:
    """How many rejections of the same origin stand before each, however batches are cut.

    That of a replay has its place on the retry topic beside it: its id is another.
    """
    seen: Counter[tuple[str, int, int]] = Counter()
    found = []
    for each in rejections:
        place = (each.topic, each.partition, each.offset)
        mark = "" if each.attempt is None else f"-{each.attempt}"
        found.append(f"{seen[place]}{mark}")
        seen[place] += 1
    return pa.array(found, pa.string())
