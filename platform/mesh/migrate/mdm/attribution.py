"""Who called: the twin and the key ring asked at the same moment, each answer held to the truth.

A day's calls are asked in the night after, and once more at the end. A number that got another
user is asked again until the answer is right, at moments that lie further and further apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mesh.migrate.mdm.golden import DAY, NIGHTLY, NOBODY, RULES, Golden, Held, Night, micros
from mesh.migrate.mdm.ring import ROLES, KeyRing, Question
from mesh.migrate.mdm.source import Cards

__all__ = ["MOMENTS", "Asker", "Count", "Late"]

HOUR = 3_600_000_000
MOMENTS = (HOUR, 4 * HOUR, 12 * HOUR, *(n * DAY for n in (1, 2, 4, 8, 16, 32)))
# Of so many days, the calls of one are asked.
EVERY = 5
Answers = Sequence[str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Answers about calls: right, wrong, and none."""

    right: int = 0
    wrong: int = 0
    none: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            right=self.right + other.right,
            wrong=self.wrong + other.wrong,
            none=self.none + other.none,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Numbers that got another user: after each of `MOMENTS`, how many were *asked*, and *right*.

    A number is asked at a moment only if it lies within the time that is looked at.
    """

    asked: tuple[int, ...]
    right: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Both sides over the same records. *is_counted* says of a person whether they count."""

    cards: Cards
    seed: int
    days: int
    held: Held
    golden: Golden
    ring: KeyRing
    is_counted: Callable[[str], bool]

    def rule(self, is_tuning: Callable[[str], bool]) -> Sequence[str]:
        """Which card the twin takes where there are several: the best for who called."""
        day = self._day(0)
        night = self.golden.before(day.asked_at)
        scores = {}
        for rule in RULES:
            found = self._persons(night, day.calls["phone_number"].to_pylist(), rule)
            scores[rule] = judged(found, day.truth("user"), is_tuning).right
        return max(scores, key=lambda each: scores[each])

    def calls(
        self, rule: Sequence[str], say: Callable[[str], None]
    ) -> Mapping[str, Mapping[str, Count]]:
        """By role and side: how many calls were attributed to the right person."""
        found: dict[str, dict[str, Count]] = {}
        end = self.cards.begin + self.days * DAY + NIGHTLY
        for number in range(0, self.days, EVERY):
            say(f"the calls of day {number + 1}")
            day, last = self._day(number), self.golden.before(end)
            numbers = day.calls["phone_number"].to_pylist()
            twin = {
                "twin": self._persons(self.golden.before(day.asked_at), numbers, rule),
                "perfect": self._persons(
                    self.golden.before(day.asked_at), numbers, rule, is_perfect=True
                ),
            }
            later = self._persons(last, numbers, rule)
            for role in ROLES:
                asked = {
                    **twin,
                    "ring": self.ring.who(day.calls, role, day.asked_at),
                    "twin_later": later,
                    "ring_later": self.ring.who(day.calls, role, end),
                }
                for side, answers in asked.items():
                    counts = found.setdefault(role, {})
                    count = judged(answers, day.truth(role), self.is_counted, day.truth("user"))
                    counts[side] = counts.get(side, Count()) + count
        return found

    def late(self, rule: Sequence[str]) -> Mapping[str, Late]:
        """How long after a number got another user each side says so."""
        begin = self.cards.begin
        end = begin + self.days * DAY
        changed = self.cards.reassigned(self.seed, begin + DAY, end)
        numbers = changed["phone_number"].to_pylist()
        rows = list(zip(numbers, micros(changed["at"]).tolist(), strict=True))
        return {
            "twin": self._late(rows, end, lambda asked: self._twin_says(asked, rule)),
            "ring": self._late(rows, end, self._ring_says),
        }

    def idle(self, numbers: Sequence[str], at: int, rule: Sequence[str]) -> dict[str, int]:
        """How many of *numbers* nobody has at an instant, and for how many each side has a user."""
        truth = self._truth([(each, at) for each in numbers])
        idle = [each for each, user in zip(numbers, truth, strict=True) if user is None]
        asked = pa.table(
            {"phone_number": idle, "at": pa.array([at] * len(idle), pa.timestamp("us", "UTC"))}
        )
        answers = {
            "twin": self._persons(self.golden.before(at), idle, rule),
            "ring": self.ring.who(asked, "user", at),
        }
        found = {side: sum(each is not None for each in said) for side, said in answers.items()}
        return {"asked": len(idle), **found}

    def _late(
        self,
        rows: Sequence[tuple[str, int]],
        end: int,
        answer: Callable[[Sequence[tuple[str, int]]], Answers],
    ) -> Late:
        wrong, asked, right, done = list(rows), [], [], 0
        for after in MOMENTS:
            there = [(number, at) for number, at in wrong if at + after < end]
            questions = [(number, at + after) for number, at in there]
            truth = self._truth(questions)
            answers = answer(questions)
            is_right = [a is not None and a == b for a, b in zip(answers, truth, strict=True)]
            counts = [b is not None and self.is_counted(b) for b in truth]
            done += sum(r and c for r, c in zip(is_right, counts, strict=True))
            right.append(done)
            left = sum(c and not r for r, c in zip(is_right, counts, strict=True))
            asked.append(done + left)
            wrong = [each for each, r in zip(there, is_right, strict=True) if not r]
        return Late(asked=tuple(asked), right=tuple(right))

    def _truth(self, questions: Sequence[tuple[str, int]]) -> Answers:
        asked = pa.table(
            {
                "phone_number": pa.array([number for number, _ in questions], pa.string()),
                "at": pa.array([at for _, at in questions], pa.timestamp("us", "UTC")),
            }
        )
        found: Answers = self.cards.truth(self.seed, asked)["user_id"].to_pylist()
        return found

    def _twin_says(self, questions: Sequence[tuple[str, int]], rule: Sequence[str]) -> Answers:
        return [
            self._persons(self.golden.before(at), [number], rule)[0] for number, at in questions
        ]

    def _ring_says(self, questions: Sequence[tuple[str, int]]) -> Answers:
        asked = [
            Question(start=f"phone:{number}", role="user", at=at, known_at=at)
            for number, at in questions
        ]
        return [each["answer"] for each in self.ring.answers(asked)]

    def _day(self, number: int) -> Day:
        calls = self.cards.calls(self.seed, number)
        return Day(
            calls=calls,
            answers=self.cards.truth(self.seed, calls),
            asked_at=self.cards.begin + (number + 1) * DAY + NIGHTLY,
        )

    def _persons(
        self, night: Night, numbers: Sequence[str], rule: Sequence[str], *, is_perfect: bool = False
    ) -> Answers:
        """Whom the golden record of each number is about; with *is_perfect*, whose the card is."""
        whom = self.held.person if is_perfect else night.person
        texts = [night.text_of(each, rule) for each in numbers]
        return [None if text == NOBODY else self.held.names[whom[text]] for text in texts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day's calls, the truth about them, and when they are asked."""

    calls: pa.Table
    answers: pa.Table
    asked_at: int

    def truth(self, role: str) -> Answers:
        """Who was what."""
        found: Answers = self.answers[f"{role}_id"].to_pylist()
        return found


def judged(
    answers: Answers,
    truth: Answers,
    is_counted: Callable[[str], bool],
    whose: Answers | None = None,
) -> Count:
    """Count answers; those count whose caller does (*whose*, or the *truth* itself)."""
    return sum(
        (
            Count(right=answer == true, wrong=answer not in (true, None), none=answer is None)
            for answer, true in counted(answers, truth, is_counted, whose or truth)
        ),
        Count(),
    )


def counted(
    answers: Answers, truth: Answers, is_counted: Callable[[str], bool], whose: Answers
) -> Iterator[tuple[str | None, str | None]]:
    """Answers with the truth, of calls by whoever counts."""
    for answer, true, caller in zip(answers, truth, whose, strict=True):
        if caller is not None and is_counted(caller):
            yield answer, true
