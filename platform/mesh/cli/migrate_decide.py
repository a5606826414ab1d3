"""How somebody decides about a report: one at a time, and from then on everybody knows.

    with deciding(migration) as decisions:
        decide(migration, decisions, "porting", AGREED, "role:operations")

Not here: whether one may (`mesh.migrate.gate`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

from mesh.cli.migrate_facts import DECISIONS, Migration
from mesh.errors import MeshError, Unreachable
from mesh.home import locked
from mesh.migrate.decisions import Decision, about

__all__ = ["decide", "deciding"]

PATIENCE_S, LOOK_S = 30.0, 0.1


@contextmanager
def deciding(migration: Migration) -> Iterator[list[Decision]]:
    """Every decision there is, while nobody else decides. Raises `AlreadyRunning`."""
    with locked(migration.app.home.folder("legacy") / "deciding", "a decision"):
        yield [*migration.decisions()]


def decide(
    migration: Migration,
    before: list[Decision],
    report: str,
    decision: str,
    principal: str,
    **more: object,
) -> Decision:
    """Tell a decision, numbered after those *before*, with which it stands from then on.

    Raises `MeshError` where somebody elsewhere told another of this number.
    """
    last = about(before, report)[-1:]
    made = Decision(
        report=report,
        number=last[0].number + 1 if last else 1,
        decision=decision,
        principal=principal,
        digest=migration.digest(report),
        decided_at=datetime.now(UTC),
        **more,  # type: ignore[arg-type]  # by the names of its fields
    )
    migration.announce(DECISIONS, [asdict(made)])
    _await(migration, made)
    before.append(made)
    return made


def _await(migration: Migration, made: Decision) -> None:
    """Wait until whoever asks is told of it.

    Kafka writes the end of a transaction after it has said that it did; whoever asked before would
    decide as if there had been no such decision.
    """
    deadline = time.monotonic() + PATIENCE_S
    while (found := _of_number(migration, made)) is None:
        if time.monotonic() > deadline:
            raise Unreachable(
                f"Kafka has not shown the decision about {made.report} after {PATIENCE_S:.0f} s:"
                " look at `mesh migrate status`, then decide again if it is not there"
            )
        time.sleep(LOOK_S)
    if (found.decision, found.principal) != (made.decision, made.principal):
        raise MeshError(
            f"{found.principal} decided about {made.report} at the same moment ({found.decision}):"
            " look at `mesh migrate status`, then decide again"
        )


def _of_number(migration: Migration, made: Decision) -> Decision | None:
    told = (each for each in about(migration.decisions(), made.report))
    return next((each for each in told if each.number == made.number), None)
