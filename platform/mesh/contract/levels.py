"""The proofs of the upper rungs: inside the service level for a day, for a week, and read.

What nobody saw does not count, so a product is not live while the catalogue is away.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime

from mesh.contract.evidence import Demand, Evidence, Rung, Sight, demand, spoken
from mesh.contract.model import Product
from mesh.contract.names import listed
from mesh.contract.proofs import GRACE
from mesh.contract.sla import AVAILABILITY, ERROR_RATE, Sla, sla_of

__all__ = ["SIGHT_S", "is_certified", "is_live", "outside"]

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
# So long a sight holds.
SIGHT_S = 900.0


def is_live(product: Product, seen: Evidence, now: datetime) -> Iterator[Demand]:
    """A port that streams, inside its service level now and for a day."""
    streamed = [each.contract for each in product.outputs if each.contract.is_streamed]
    levels = [sla_of(each) for each in streamed]
    declared = [each.id for each, sla in zip(streamed, levels, strict=True) if sla.latency_s]
    yield demand(
        "live",
        "it has an event or state port with a declared latency",
        "`portKind` event or state, and `latency` under `slaProperties`",
        "offer its data as an event or state port, and declare its `latency`",
    )(bool(declared), listed(declared) or "none")
    last = seen.sights[-1] if seen.sights else None
    fault = "never seen" if last is None else outside(levels, last)
    if last is not None and (age := (now - last.at).total_seconds()) > SIGHT_S:
        fault = f"last seen {spoken(age)} ago"
    yield demand(
        "live",
        "it is inside its service level now",
        f"running, seen within {spoken(SIGHT_S)}, no message later than the latency",
        "see why it is not inside its service level: `mesh status`, `mesh ladder`",
    )(not fault, fault or f"running, lag {last.lag if last else 0}")
    yield held("live", DAY_S, levels, seen.sights, now)


def is_certified(product: Product, seen: Evidence, now: datetime) -> Iterator[Demand]:
    """The same for a week, with little quarantined, and somebody who reads it."""
    levels = [sla_of(each.contract) for each in product.outputs if each.contract.is_streamed]
    yield held("certified", WEEK_S, levels, seen.sights, now)
    limit = min((each.error_rate for each in levels), default=ERROR_RATE)
    week = [each for each in seen.sights if (now - each.at).total_seconds() <= WEEK_S]
    taken, rejected = quarantined(week)
    rate = rejected / taken if taken else float(rejected > 0)
    yield demand(
        "certified",
        "its quarantine is under the limit",
        f"at most {limit:.2%} of the messages of {spoken(WEEK_S)}",
        "see what is set aside with `mesh quarantine list`, and have its cause mended",
    )(bool(week) and rate <= limit, f"{rejected} of {taken} messages" if week else "never seen")
    readers = [name for name, at in seen.readers.items() if (now - at).total_seconds() <= WEEK_S]
    yield demand(
        "certified",
        "somebody reads it",
        f"a reader within {spoken(WEEK_S)}",
        "win a reader: see who would be granted it, and what they need",
    )(bool(readers), listed(sorted(readers)) or "nobody")


def quarantined(sights: Sequence[Sight]) -> tuple[int, int]:
    """How many messages were taken in over *sights*, and how many of them rejected.

    The counts begin anew with a storage that was rebuilt.
    """
    taken = rejected = 0
    for before, after in itertools.pairwise(sights):
        is_anew = after.taken_in < before.taken_in or after.rejected < before.rejected
        taken += after.taken_in - (0 if is_anew else before.taken_in)
        rejected += after.rejected - (0 if is_anew else before.rejected)
    return taken, rejected


def held(
    rung: Rung, window_s: float, levels: Sequence[Sla], sights: Sequence[Sight], now: datetime
) -> Demand:
    """The share of a window in which the product was seen inside its service level."""
    needed = max((each.availability for each in levels), default=AVAILABILITY)
    inside_s = 0.0
    for sight, after in itertools.zip_longest(sights, sights[1:]):
        if outside(levels, sight):
            continue
        # A sight holds until the next one, and for so long at most.
        age_s = (now - sight.at).total_seconds()
        end_s = max(age_s - SIGHT_S, (now - after.at).total_seconds() if after else 0.0)
        inside_s += max(0.0, min(age_s, window_s) - end_s)
    share = inside_s / window_s
    return demand(
        rung,
        f"it was inside its service level for {spoken(window_s)}",
        f"{needed:.1%} of {spoken(window_s)}; what nobody saw does not count",
        f"stay inside the service level for {spoken(window_s)}",
    )(share >= needed, f"{share:.1%}")


def outside(levels: Sequence[Sla], sight: Sight) -> str:
    """Why a product was outside its service level when it was seen; nothing if it was inside."""
    latency_s = min((each.latency_s for each in levels if each.latency_s), default=None)
    frequency_s = min((each.frequency_s for each in levels if each.frequency_s), default=None)
    silent_s = (
        None
        if sight.last_arrival_at is None
        else max(0.0, (sight.at - sight.last_arrival_at).total_seconds())
    )
    if sight.state != "running":
        return f"it is {sight.state}"
    if latency_s is None:
        return "it declares no latency"
    # The figure stays until the next message: a late one counts while it is news.
    is_news = silent_s is not None and silent_s <= SIGHT_S
    if is_news and sight.freshness_s is not None and sight.freshness_s > latency_s:
        return f"a message took {spoken(sight.freshness_s)}"
    if sight.lag and (silent_s is None or silent_s > latency_s):
        return f"{sight.lag} messages wait"
    if frequency_s is not None and (silent_s is None or silent_s > GRACE * frequency_s):
        return "no message since " + (spoken(silent_s) if silent_s is not None else "ever")
    return ""
