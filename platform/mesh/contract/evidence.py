"""What was seen of a data product, and what it proves: the values of the ladder.

Not here: the conditions of each rung (`ladder`, `proofs`, `levels`), who looks (the catalogue).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

__all__ = [
    "RUNGS",
    "Delivery",
    "Demand",
    "Evidence",
    "Proof",
    "Rung",
    "Sight",
    "Standing",
    "Trial",
    "demand",
    "spoken",
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
class Trial:
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
    tests: tuple[Trial, ...] = ()
    sights: tuple[Sight, ...] = ()
    readers: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Demand:
    """A proof, and what to do where it is not met."""

    proof: Proof
    remedy: str


def demand(rung: Rung, what: str, needed: str, remedy: str) -> Callable[[bool, str], Demand]:
    """What a rung asks, to be filled with whether it is met and what was seen."""

    def filled(is_met: bool, seen: str) -> Demand:
        proof = Proof(what=what, is_met=is_met, seen=seen, needed=needed, rung=rung)
        return Demand(proof, remedy)

    return filled


def spoken(seconds: float) -> str:
    """A length of time in words, in its largest unit."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
