"""What broke a contract: set aside with its origin, the rule and the reason, never published.

A message that we read is kept as its bytes, a row that we made as JSON. Not here: judging
them (`intake`, `mesh.contract.rules`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from mesh.backbone.avro import Encoder
from mesh.contract.rules import Violation
from mesh.product.causes import INSTANT
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

__all__ = ["Rejection", "Rejector", "of_failures", "of_size", "refused"]

# Of what is rejected, so that its message is not too large in its turn.
KEPT_VALUE, KEPT_KEY = 900_000, 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One message or row that broke a contract: raw, where from, which rule, why."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    field: str | None
    rule: str
    reason: str
    trace: str | None = None


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
                "key": each.key and each.key[:KEPT_KEY],
                "value": each.value and each.value[:KEPT_VALUE],
                "port": port,
                "field": each.field,
                "rule": each.rule,
                "reason": each.reason + cut_note(each),
                "rejected_at": now,
            }
            for each in rejections
        ]
        table = pa.Table.from_pylist(rows, REJECTED_ARROW)
        count = table.num_rows
        return pa.table(
            {
                "topic": constant(self._topic, count),
                # Its origin, since the key of a bad message may be anything.
                "key": [place_key(each) for each in rejections],
                "value": pa.array(self._encoder.encode(table, self._schema_id), pa.binary()),
                "id": event_ids(table, repetitions(rejections)),
                "time": constant(now, count, INSTANT),
                "trace": [each.trace for each in rejections],
            },
            schema=OUTBOX,
        )


def refused(
    tables: Sequence[pa.Table], causes: pa.Table, violations: Sequence[Violation]
) -> list[Rejection]:
    """Rejections of rows of *tables* as JSON, one a row, with the first reason."""
    first: dict[int, Violation] = {}
    for each in violations:
        first.setdefault(each.row, each)
    if not first:
        return []
    rows = pa.concat_tables(tables).take(pa.array(list(first), pa.int64()))
    texts = as_json(rows.drop_columns([CAUSE]))
    places = causes.select(["topic", "partition", "offset", "trace"])
    origins = places.take(rows[CAUSE].combine_chunks()).to_pylist()
    return [
        Rejection(
            **origin,
            key=None,
            value=text.encode(),
            field=each.field,
            rule=each.rule,
            reason=each.reason,
        )
        for origin, text, each in zip(origins, texts, first.values(), strict=True)
    ]


def of_failures(failures: Sequence[Failure]) -> list[Violation]:
    """Why rows for which the query failed are refused."""
    return [
        Violation(row=number, field=None, rule="sql", reason=each.reason)
        for number, each in enumerate(failures)
    ]


def of_size(positions: Sequence[int]) -> list[Violation]:
    """Why rows are refused whose message Kafka would not take."""
    reason = f"its message is larger than {LARGEST_MESSAGE} bytes"
    return [Violation(row=each, field=None, rule="size", reason=reason) for each in positions]


def cut_note(rejection: Rejection) -> str:
    """What to add to the reason where not all of the message is kept."""
    if len(rejection.value or b"") <= KEPT_VALUE and len(rejection.key or b"") <= KEPT_KEY:
        return ""
    return f" (only {KEPT_VALUE} bytes of the value and {KEPT_KEY} of the key are kept here)"


def place_key(rejection: Rejection) -> bytes:
    """The key of a rejection: topic, partition and offset of its origin, in canonical form."""
    place = [rejection.topic, str(rejection.partition), str(rejection.offset)]
    return json.dumps(place, separators=(",", ":"), ensure_ascii=False).encode()


def repetitions(rejections: Sequence[Rejection]) -> pa.Array:
    """How many rejections of the same origin stand before each, however batches are cut."""
    seen: Counter[tuple[str, int, int]] = Counter()
    found = []
    for each in rejections:
        place = (each.topic, each.partition, each.offset)
        found.append(seen[place])
        seen[place] += 1
    return pa.array(found, pa.int64())
