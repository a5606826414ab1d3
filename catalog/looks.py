"""One look at a product: what its management port says, read as something that others wrote.

A product that does not answer is `absent`. Not here: when one looks (`observing`), what is made
of looks (`evidence`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from catalog.doors import body_at
from catalog.pages.texts import mapping, mappings, one_line
from catalog.shelf import Observed
from mesh.contract.ladder import Delivery
from mesh.contract.model import Product

__all__ = ["ABSENT", "Look", "look"]

ABSENT = "absent"
PATH = "/observability"
MAX_ANSWER_BYTES = 1 << 20
LONGEST_STATE, LONGEST_REASON = 40, 500
BIGGEST = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look saw. *taken_in* counts messages ever, or is None where nothing says it.

    *deliveries* are those of batch ports, as the product tells them, older first.
    """

    observed: Observed
    taken_in: int | None = None
    deliveries: tuple[Delivery, ...] = ()


def look(client: httpx.Client, product: Product, address: str | None, at: datetime) -> Look:
    """Ask *product* at its door, if it has one, how it does."""
    if address is None:
        return away(at, "no address of it is known", address)
    try:
        document = json.loads(body_at(client, address + PATH, MAX_ANSWER_BYTES))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return away(at, f"it does not answer: {error}", address)
    except (ValueError, RecursionError) as error:
        return away(at, f"it answers with something else than its state: {error}", address)
    if not isinstance(document, dict) or document.get("product") != product.id:
        return away(at, "somebody else answers at its address", address)
    return read(document, product, address, at)


def away(at: datetime, reason: str, address: str | None) -> Look:
    """Nobody answered."""
    reason = one_line(reason)[:LONGEST_REASON]
    observed = Observed(
        observed_at=at, state=ABSENT, reason=reason, is_reached=False, address=address
    )
    return Look(observed=observed)


def read(document: Mapping[str, Any], product: Product, address: str, at: datetime) -> Look:
    """What a door's *document* says, as far as it can be read."""
    ports = {each.name for each in product.outputs}
    quarantine: dict[str, int] = {}
    for each in mappings(document.get("quarantine")):
        port = one_line(each.get("port"))
        quarantine[port] = quarantine.get(port, 0) + (count(each.get("count")) or 0)
    rows = mapping(document.get("rows"))
    observed = Observed(
        observed_at=at,
        state=one_line(document.get("state"))[:LONGEST_STATE] or "unknown",
        reason=one_line(document.get("reason"))[:LONGEST_REASON],
        lag=count(document.get("lag")),
        freshness_s=seconds(document.get("freshness_s")),
        last_arrival_at=instant(document.get("last_arrival_at")),
        rows={name: found for name in ports if (found := count(rows.get(name))) is not None},
        quarantine=quarantine,
        address=address,
    )
    return Look(
        observed=observed,
        taken_in=taken_in(document.get("offsets")),
        deliveries=deliveries(document.get("deliveries"), ports),
    )


def deliveries(value: object, ports: set[str]) -> tuple[Delivery, ...]:
    """What was delivered to batch ports."""
    found = [
        Delivery(port=str(each.get("port")), at=at, rows=count(each.get("rows")) or 0)
        for each in mappings(value)
        if (at := instant(each.get("at"))) is not None and each.get("port") in ports
    ]
    return tuple(sorted(found, key=lambda each: each.at))


def taken_in(offsets: object) -> int | None:
    """How many messages are taken in, by the next offsets of all inputs."""
    found = [
        count(each)
        for partitions in mapping(offsets).values()
        for each in mapping(partitions).values()
    ]
    return sum(each or 0 for each in found) if found else None


def count(value: object) -> int | None:
    """A number of things, where it is one."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < BIGGEST else None  # type: ignore[operator, return-value]  # is_number says it


def seconds(value: object) -> float | None:
    """A length of time, where it is one."""
    is_number = isinstance(value, int | float) and 0 <= value < BIGGEST
    return float(value) if is_number else None  # type: ignore[arg-type]  # is_number says it


def instant(value: object) -> datetime | None:
    """An instant in ISO 8601, in UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
