"""Evidence as it is written and read again: one JSON object a look, a test, a delivery.

Not here: where it is kept (`ladder_kept`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from mesh.contract.ladder import Delivery, Sight, Trial

__all__ = ["KINDS", "read_delivery", "read_sight", "read_trial", "record_of"]

KINDS = ("sight", "delivery", "trial")


def record_of(kind: str, value: Sight | Delivery | Trial, **more: object) -> dict[str, Any]:
    """*value* as a record of this *kind*."""
    found = {each.name: getattr(value, each.name) for each in fields(value)}
    return {"kind": kind, **{name: plain(each) for name, each in found.items()}, **more}


def plain(value: object) -> object:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def read_sight(record: Mapping[str, Any]) -> tuple[Sight, bool]:
    """A sight, and whether it was inside the service level."""
    last = record["last_arrival_at"]
    sight = Sight(
        at=datetime.fromisoformat(record["at"]),
        state=str(record["state"]),
        lag=record["lag"],
        freshness_s=record["freshness_s"],
        last_arrival_at=None if last is None else datetime.fromisoformat(last),
        taken_in=int(record["taken_in"]),
        rejected=int(record["rejected"]),
    )
    return sight, bool(record["is_inside"])


def read_delivery(record: Mapping[str, Any]) -> Delivery:
    """A delivery."""
    at = datetime.fromisoformat(record["at"])
    return Delivery(port=str(record["port"]), at=at, rows=int(record["rows"]))


def read_trial(record: Mapping[str, Any]) -> Trial:
    """A test of a contract."""
    return Trial(
        port=str(record["port"]),
        at=datetime.fromisoformat(record["at"]),
        digest=str(record["digest"]),
        rows=int(record["rows"]),
        broken={str(name): int(count) for name, count in record["broken"].items()},
    )
