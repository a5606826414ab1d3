"""A week of evidence about a product, as the catalogue writes it to its own topic while it looks.

What a drill with a moved clock takes minutes for; here only the rest of the way is of interest.
A walkthrough runs it as `python -m tests.week PRODUCT PORT MESSAGES`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from catalog.evidence_records import record_of
from catalog.evidence_topic import write_evidence
from mesh.backbone.bus import Bus
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.catalogue import CATALOGUE, OWN_TOPICS
from mesh.contract.ladder import SIGHT_S, Delivery, Sight
from mesh.home import Home
from mesh.settings import load

__all__ = ["tell_week"]

LONG = timedelta(days=7, hours=2)
LOOK = timedelta(seconds=SIGHT_S - 30)


def tell_week(home: Home, product: str, port: str, messages: int) -> None:
    """Write that a product ran inside its service level, and had a delivery every day."""
    endpoint = find_endpoint(load(), home)
    principal = Principal(name=CATALOGUE, secret=home.secret(CATALOGUE))
    now = datetime.now(UTC)
    bus = Bus(endpoint, principal, OWN_TOPICS)
    for record in records(port, now, messages):
        write_evidence(bus, product, datetime.fromisoformat(record["at"]), record)


def records(port: str, now: datetime, messages: int) -> Iterator[Mapping[str, Any]]:
    """Looks one after the other, and a delivery each day."""
    at, last = now - LONG, now - LONG
    while at < now:
        if at - last >= timedelta(hours=20):
            last = at
            found = Delivery(port=port, at=at, rows=messages)
            yield record_of("delivery", found, is_told=False, messages=messages)
        sight = Sight(
            at=at,
            state="running",
            lag=0,
            freshness_s=0.1,
            last_arrival_at=last,
            taken_in=messages,
            rejected=0,
        )
        yield record_of("sight", sight, rejected_now=0, is_inside=True)
        at += LOOK


if __name__ == "__main__":
    tell_week(Home.find(load().home_path), sys.argv[1], sys.argv[2], int(sys.argv[3]))
