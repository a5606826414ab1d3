"""What of the warehouse is still needed: jobs, tables and lines of SQL, after each decision.

    burn_down(jobs, decisions)[-1].jobs

A job is needed by every report that it goes into and that is not cut over; a roll-back brings it
up again. Not here: the chart (`burndown_chart`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mesh.contract.names import to_kebab
from mesh.migrate.decisions import AGREED, CUT_OVER, Decision
from mesh.migrate.jobs import Job, reports, upstream

__all__ = ["Left", "burn_down", "still_needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is needed from a moment on; *decision* is the one that made it so, none at first."""

    decision: Decision | None
    reports: tuple[str, ...]
    jobs: int
    tables: int
    lines: int

    @property
    def at(self) -> datetime | None:
        """From when on."""
        return self.decision.decided_at if self.decision else None


def still_needed(
    jobs: Sequence[Job], left: Collection[str], decision: Decision | None = None
) -> Left:
    """What the reports *left*, by their ports' names, need of the warehouse."""
    known = [each for each in reports(jobs) if to_kebab(each) in left]
    needed = {job.name: job for report in known for job in upstream(jobs, report)}
    tables = {name for job in needed.values() for name in (*job.reads, *job.writes)}
    return Left(
        decision=decision,
        reports=tuple(map(to_kebab, known)),
        jobs=len(needed),
        tables=len(tables),
        lines=sum(each.lines for each in needed.values()),
    )


def burn_down(jobs: Sequence[Job], decisions: Iterable[Decision]) -> tuple[Left, ...]:
    """What was needed at first, and after each cut-over and roll-back, in order of time."""
    left = {to_kebab(each): True for each in reports(jobs)}
    found = [still_needed(jobs, left)]
    turns = [each for each in decisions if each.decision != AGREED and each.report in left]
    for each in sorted(turns, key=lambda one: one.decided_at):
        left[each.report] = each.decision != CUT_OVER
        found.append(still_needed(jobs, {name for name, is_left in left.items() if is_left}, each))
    return tuple(found)
