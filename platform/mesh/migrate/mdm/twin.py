"""The whole comparison: match, tune on one half, merge each night, ask both sides, count.

    twin = make(find_cards(), seed=7, days=60, say=print)
    report = report_of(twin, project, routes, print)

Both sides are given the same records at the same moments. Not here: how it is shown (`chart`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mesh.contract.names import to_snake
from mesh.contract.project import Project
from mesh.contract.questions import roles_of
from mesh.migrate.mdm.attribution import MOMENTS, Asker, Count, Late
from mesh.migrate.mdm.change import ANY, LIKE, STATED_BY, TWIN, Change, places, with_sims
from mesh.migrate.mdm.golden import DAY, NIGHTLY, Golden, Held, Night, hold
from mesh.migrate.mdm.match import libraries, scored
from mesh.migrate.mdm.merge import Judged, Tuned, half_of, judge, merged, tune
from mesh.migrate.mdm.ring import RING, Question, open_ring, written
from mesh.migrate.mdm.source import Cards

if TYPE_CHECKING:
    from fastapi import APIRouter

    from mesh.ports.own import Own

__all__ = ["Twin", "make", "report_of"]

NUMBERS = ("contracts", "number_changes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The golden records of all nights, and what they were tuned on."""

    cards: Cards
    seed: int
    days: int
    held: Held
    tuned: Tuned
    judged: Judged
    golden: Golden
    records: Mapping[str, Mapping[str, pa.Table]]

    @property
    def end(self) -> int:
        """The last night of all."""
        return self.cards.begin + self.days * DAY + NIGHTLY

    @property
    def last(self) -> Night:
        """What the last night left."""
        return self.golden.before(self.end)

    def is_tuning(self, person: str) -> bool:
        """Whether the threshold was tuned on somebody."""
        return bool(half_of([person], self.seed)[0])


def make(cards: Cards, *, seed: int, days: int, say: Callable[[str], None]) -> Twin:
    """Match and merge the cards of *days*. Raises `SettingsError` without the extra `mdm`."""
    libraries()
    until = cards.begin + days * DAY + NIGHTLY
    say("cards and other records of the systems")
    held = hold(cards.held(seed, until), cards.persons(seed, until))
    records = written(seed, until)
    say(f"matching {held.texts.num_rows:,} cards")
    pairs = scored(held.texts)
    say(f"tuning the threshold on half of {len(held.names):,} persons")
    tuning = half_of(held.names, seed)[held.person]
    tuned = tune(pairs, held.person, tuning)
    kept = pairs.above(tuned.threshold)
    product, port = NUMBERS
    return Twin(
        cards=cards,
        seed=seed,
        days=days,
        held=held,
        tuned=tuned,
        judged=judge(merged(len(held.person), kept), held.person, ~tuning),
        golden=Golden(held, kept, records[product][port]),
        records=records,
    )


def report_of(
    twin: Twin,
    project: Project,
    routes: Callable[[Own], APIRouter],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Everything that is counted, as JSON has it; *routes* are the key ring's."""
    say("the key ring, of the same records")
    ring = open_ring(project, twin.records, routes)
    asker = Asker(
        cards=twin.cards,
        seed=twin.seed,
        days=twin.days,
        held=twin.held,
        golden=twin.golden,
        ring=ring,
        is_counted=lambda person: not twin.is_tuning(person),
    )
    rule = asker.rule(twin.is_tuning)
    calls = asker.calls(rule, say)
    say("numbers that got another user")
    late = asker.late(rule)
    say("one identifier more")
    return {
        **matching_of(twin),
        "rule": list(rule),
        "roles": sorted(roles_of(ring.relations)),
        "calls": calls_document(calls),
        "late": late_document(late),
        "idle": asker.idle(numbers_of(twin), twin.end, rule),
        "change": asdict(changed(twin, project, routes, rule)),
    }


def matching_of(twin: Twin) -> dict[str, Any]:
    """What was matched, and how well."""
    return {
        "seed": twin.seed,
        "days": twin.days,
        "cards": int(twin.held.card.max()) + 1,
        "threshold": twin.tuned.threshold,
        "merges": judged_document(twin.judged),
        "tuning": [
            {"threshold": threshold, **judged_document(each)}
            for threshold, each in twin.tuned.curve
        ],
    }


def numbers_of(twin: Twin) -> list[str]:
    """Every number that the CRM ever named."""
    product, port = NUMBERS
    return sorted(set(twin.records[product][port]["phone_number"].to_pylist()))


def judged_document(judged: Judged) -> dict[str, Any]:
    """Merges and splits of one half."""
    return {
        **asdict(judged),
        "wrong_merges": judged.wrong_merges,
        "wrong_splits": judged.wrong_splits,
        "f1": round(judged.f1, 4),
    }


def calls_document(calls: Mapping[str, Mapping[str, Count]]) -> dict[str, Any]:
    """Calls by role and side."""
    return {
        role: {side: asdict(count) for side, count in sides.items()}
        for role, sides in calls.items()
    }


def late_document(late: Mapping[str, Late]) -> dict[str, Any]:
    """Numbers that got another user, by side."""
    hours = [each // MOMENTS[0] for each in MOMENTS]
    return {"after_hours": hours, **{side: asdict(each) for side, each in late.items()}}


def changed(
    twin: Twin, project: Project, routes: Callable[[Own], APIRouter], rule: Sequence[str]
) -> Change:
    """Add an identifier to both sides, and count what it took."""
    wider, told, sims = with_sims(project, twin.records)
    ring = open_ring(wider, told, routes)
    asked = [
        Question(start=f"sim:{each}", role="holder", at=twin.end, known_at=twin.end)
        for each in sims
    ]
    folder, like = project.product(RING).folder, project.product(STATED_BY).folder
    name = to_snake(LIKE)
    return Change(
        twin=places([Path(__file__).parent / each for each in TWIN]),
        ring=places(sorted([*folder.glob("*.py"), *folder.glob("*.sql")])),
        relation=places([like / f"{name}.sql", like / "contracts" / f"{name}.odcs.yaml"], ANY),
        sims=len(sims),
        twin_known=sum(twin.last.text_of(each, rule) >= 0 for each in sims),
        ring_known=sum(each["answer"] is not None for each in ring.answers(asked)),
    )
