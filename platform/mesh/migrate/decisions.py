"""What was decided about reports: who agreed, what was cut over and what was rolled back.

    source_of(decisions, "porting")           # "warehouse", until it is cut over
    agreed(decisions, "porting", digest)

Decisions are messages; here they are read only. Not here: whether one may be made (`gate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mesh.migrate.facade import MESH, WAREHOUSE

__all__ = [
    "AGREED", "CUT_OVER", "ROLLED_BACK", "Decision", "about", "agreed", "decisions_of", "source_of",
]  # fmt: skip

AGREED, CUT_OVER, ROLLED_BACK = "agreed", "cut-over", "rolled-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision about a report, the *number*-th of it, on the query with this *digest*."""

    report: str
    number: int
    decision: str
    principal: str
    digest: str
    decided_at: datetime
    clean_nights: int | None = None
    reason: str | None = None


def decisions_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Decision, ...]:
    """The decisions in rows of the port, each report's in their order."""
    found = (Decision(**row) for row in rows)
    return tuple(sorted(found, key=lambda each: (each.report, each.number)))


def about(decisions: Iterable[Decision], report: str) -> Sequence[Decision]:
    """Those about one report."""
    return [each for each in decisions if each.report == report]


def source_of(decisions: Iterable[Decision], report: str) -> str:
    """Where a report comes from now."""
    turns = [each for each in about(decisions, report) if each.decision != AGREED]
    return MESH if turns and turns[-1].decision == CUT_OVER else WAREHOUSE


def agreed(decisions: Iterable[Decision], report: str, digest: str) -> frozenset[str]:
    """Who has agreed to the query with this *digest*, since the report last changed its source."""
    found: set[str] = set()
    for each in about(decisions, report):
        if each.decision != AGREED:
            found.clear()
        elif each.digest == digest:
            found.add(each.principal)
    return frozenset(found)
