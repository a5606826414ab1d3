"""A decision is made once everybody is told of it, and only by the one who was first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from mesh.cli import migrate_decide
from mesh.cli.migrate_decide import decide
from mesh.cli.migrate_facts import Migration
from mesh.errors import MeshError, Unreachable
from mesh.migrate.decisions import AGREED, CUT_OVER, Decision


class Topic:
    """Decisions that are shown from the *late*-th look on; *others* stood there before."""

    def __init__(self, late: int = 0, others: tuple[Decision, ...] = ()) -> None:
        self.told, self.late, self.looks = list(others), late, 0

    def digest(self, report: str) -> str:
        """What is agreed to."""
        return f"{report} as it is"

    def announce(self, port: str, rows: list[dict[str, Any]]) -> None:
        """Each number once, as a product's own input port takes them."""
        there = {(each.report, each.number) for each in self.told}
        found = (Decision(**row) for row in rows)
        self.told += [each for each in found if (each.report, each.number) not in there]

    def decisions(self) -> tuple[Decision, ...]:
        """What is shown."""
        self.looks += 1
        return tuple(self.told) if self.looks > self.late else ()


def told(topic: Topic, before: list[Decision] | None = None) -> Decision:
    """Decided on the topic by linus."""
    migration = cast(Migration, topic)
    return decide(migration, [] if before is None else before, "porting", AGREED, "linus")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate_decide, "LOOK_S", 0.0)


def test_whoever_decided_goes_on_only_when_the_decision_is_shown() -> None:
    topic = Topic(late=3)
    made = told(topic)
    assert (made.number, topic.looks) == (1, 4)


def test_a_decision_that_is_not_shown_in_time_is_an_error_that_says_where_to_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrate_decide, "PATIENCE_S", 0.0)
    with pytest.raises(Unreachable, match="mesh migrate status"):
        told(Topic(late=10**6))


def test_who_decides_second_at_the_same_moment_is_told_who_was_first() -> None:
    first = told(Topic())
    other = replace(first, decision=CUT_OVER, principal="barbara")
    with pytest.raises(MeshError, match=r"barbara decided about porting .* \(cut-over\)"):
        told(Topic(others=(other,)))


def test_a_decision_is_numbered_after_those_before_and_known_to_the_one_who_holds_them() -> None:
    topic, held = Topic(), list[Decision]()
    assert [told(topic, held).number, told(topic, held).number] == [1, 2]
    assert held == topic.told
