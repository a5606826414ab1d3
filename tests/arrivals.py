"""Arrivals at the call center as if from a broker, for tests of a product's engine without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from mesh.contract.types import arrow_schema
from mesh.product.causes import CAUSES
from mesh.product.intake import Arrival, Deletion
from mesh.product.plan import Plan
from mesh.product.transform import CAUSE

__all__ = ["AT", "Registered", "arrival", "id_of"]

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Registered:
    """A registry that knows every schema."""

    def find(self, subject: str, schema: dict[str, object]) -> int:
        return 7


def id_of(number: int) -> str:
    return f"0f0f0f0f-0000-4000-8000-{number:012}"


def arrival(
    plan: Plan,
    seconds: list[int],
    gone: tuple[int, ...] = (),
    *,
    offset: int = 0,
    partition: int = 0,
    at: datetime = AT,
) -> Arrival:
    """Calls that lasted so many *seconds*, and then tombstones of the calls *gone*.

    Calls are numbered by their offsets, the first of which is *offset*; all came *at* a time.
    """
    source = plan.inputs[0]
    rows = [
        {
            "call_id": id_of(offset + number), "phone_number": "+12025550100", "queue": "billing",
            "started_at": at, "ended_at": at + timedelta(seconds=each),
            CAUSE: number,
        }
        for number, each in enumerate(seconds)
    ]  # fmt: skip
    schema = arrow_schema(source.contract).append(pa.field(CAUSE, pa.int64()))
    return Arrival(
        source=source,
        rows=pa.Table.from_pylist(rows, schema),
        causes=causes_at(source.contract.topic, partition, offset, len(seconds) + len(gone), at),
        deletions=tuple(
            Deletion(cause=len(seconds) + n, key=id_of(each).encode())
            for n, each in enumerate(gone)
        ),
    )


def causes_at(topic: str, partition: int, offset: int, count: int, at: datetime) -> pa.Table:
    """So many messages from an offset on."""
    rows = [
        {"topic": topic, "partition": partition, "offset": offset + n, "time": at, "trace": None}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, CAUSES)
