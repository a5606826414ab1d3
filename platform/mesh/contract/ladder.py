"""The ladder of data products: on which rung one stands, computed from what was seen of it.

    dump        its data is there, once
    refreshed   it came again, on the declared schedule
    contracted  the owner accepted the contract, and its tests pass on the real data
    live        an event or state port kept inside its SLA for 24 hours
    certified   that for 7 days, its quarantine under the limit, and at least one reader

No rung is held without all below it, and each is lost when its evidence goes stale.
Not here: who collects the evidence (the catalogue), and what a contract promises (`sla`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from mesh.contract.model import Product

__all__ = [
    "RUNGS",
    "Delivery",
    "Evidence",
    "Proof",
    "Rung",
    "Sight",
    "Standing",
    "Test",
    "standing",
]

Rung: TypeAlias = Literal["dump", "refreshed", "contracted", "live", "certified"]
RUNGS: tuple[Rung, ...] = ("dump", "refreshed", "contracted", "live", "certified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One condition of a rung: what was *seen*, and what is *needed*."""

    what: str
    is_met: bool
    seen: str
    needed: str
    rung: Rung


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The highest rung whose proofs are met, with those of all rungs, and what to do next."""

    rung: Rung
    evidence: tuple[Proof, ...]
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Data of a port that came at once: a dump, or the messages since the last look."""

    port: str
    at: datetime
    rows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A contract's tests, run on the real data. *digest* is that of the contract they were of."""

    port: str
    at: datetime
    digest: str
    rows: int
    broken: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the product's management ports said at a moment; *state* is `absent` where nothing.

    *taken_in* and *rejected* count messages since the storage was made.
    """

    at: datetime
    state: str
    lag: int | None = None
    freshness_s: float | None = None
    last_arrival_at: datetime | None = None
    taken_in: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was seen of one product, older first. *readers* have when each read last."""

    deliveries: tuple[Delivery, ...] = ()
    tests: tuple[Test, ...] = ()
    sights: tuple[Sight, ...] = ()
    readers: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))


def standing(product: Product, evidence: Evidence, now: datetime) -> Standing:
    """The standing of *product* as of *now*."""
    proof = Proof(
        what="its data is there",
        is_met=bool(evidence.deliveries),
        seen=f"{len(evidence.deliveries)} deliveries",
        needed="1 delivery",
        rung="dump",
    )
    return Standing(rung="dump", evidence=(proof,), next_step="deliver once more")
