"""Whose an identifier is, and when: what leads to one person in the roles that are meant.

    (person,) = persons_of(links, ("phone-number", "+1…"), {"user"}, at)
    whose = whose_of(links, person, {"user"}, format)
    whose.has(["+1…", "C-…"], at)

Instants are microseconds, an open end is a number beyond all. Not here: where links come from, and
how messages are read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mesh.contract.questions import PERSON

__all__ = ["ALWAYS", "FOREVER", "Link", "Whose", "persons_of", "whose_of"]

ALWAYS, FOREVER = -(2**63), 2**63 - 1
# A chain of relations is no longer than there are types to step over.
LONGEST = 8
# Type and value.
Node = tuple[str, str]
# From and up to, but not at.
Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that holds, as its relation's authority states it."""

    role: str
    start: Node
    end: Node
    span: Span
    cardinality: str

    def steps(self) -> Iterator[tuple[Node, Node]]:
        """From what to what it leads, where it leads to one alone."""
        if self.cardinality in ("many-to-one", "one-to-one"):
            yield self.start, self.end
        if self.cardinality in ("one-to-many", "one-to-one"):
            yield self.end, self.start


@dataclass(frozen=True, kw_only=True)
class Whose:
    """*person*, and the times in which each identifier leads there; *format* of persons' ids."""

    person: str
    spans: Mapping[str, tuple[Span, ...]]
    format: str

    @cached_property
    def values(self) -> frozenset[str]:
        """Every identifier, the person's own too."""
        return frozenset({self.person, *self.spans})

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.format.removeprefix("^").removesuffix("$") or r"(?!)")

    def has(self, texts: Collection[str], at: int | None) -> bool:
        """Whether a row with these personal *texts* is the person's.

        It is where one names the person, or one leads there *at* the row's time and none names
        somebody else. Of a row without a time, whatever ever led there counts.
        """
        if self.person in texts:
            return True
        return not any(map(self._pattern.fullmatch, texts)) and any(
            at is None or any(begin <= at < end for begin, end in self.spans[each])
            for each in texts
            if each in self.spans
        )

    def found_in(self, data: str | bytes) -> list[str]:
        """The identifiers that stand in *data* anywhere, and other persons' beside them.

        In text, a number does not stand in a longer one; in bytes, what follows may be no text.
        """
        if isinstance(data, str):
            text, end = data, r"(?![0-9])"
        else:
            text, end = data.decode("utf-8", "replace"), ""
        found = [each for each in sorted(self.values) if re.search(re.escape(each) + end, text)]
        return [*found, *self._pattern.findall(text)] if found else []

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {"person": self.person, "spans": dict(self.spans), "format": self.format}

    @classmethod
    def of(cls, document: Mapping[str, object]) -> Whose:
        """From JSON. Raises `ValueError` where it is none."""
        try:
            spans: Mapping[str, Iterable[Iterable[int]]] = document["spans"]  # type: ignore[assignment]  # what is no mapping raises
            return cls(
                person=str(document["person"]),
                spans={
                    str(name): tuple((int(begin), int(end)) for begin, end in each)
                    for name, each in spans.items()
                },
                format=str(document["format"]),
            )
        except (KeyError, TypeError, AttributeError, re.error) as error:
            raise ValueError(f"it says nobody: {error}") from error


def persons_of(
    links: Collection[Link], start: Node, roles: Collection[str], at: int
) -> frozenset[str]:
    """To whom *start* leads in one of *roles* at an instant, by the fewest steps."""
    if start[0] == PERSON:
        return frozenset({start[1]})
    holding = [each for each in links if each.span[0] <= at < each.span[1]]
    here = {start}
    for _ in range(LONGEST):
        # The last step may lead to several; then nobody is picked.
        found = {
            each.end[1]
            for each in holding
            if each.start in here and each.end[0] == PERSON and each.role in roles
        }
        if found:
            return frozenset(found)
        here = {
            end
            for each in holding
            for begin, end in each.steps()
            if begin in here and end[0] != PERSON
        }
    return frozenset()


def whose_of(links: Collection[Link], person: str, roles: Collection[str], format_: str) -> Whose:
    """What leads to *person* in *roles*, and when.

    An identifier is of those to whom it leads by the fewest steps: a number is its holder's and
    its user's, and not the payer's of the account that its contract is invoiced to.
    """
    nearest = near(links, None)
    ours = near(links, roles)
    spans: dict[str, list[Span]] = {}
    here: dict[Node, list[Span]] = {(PERSON, person): [(ALWAYS, FOREVER)]}
    for distance in range(1, LONGEST):
        ahead: dict[Node, list[Span]] = {}
        for link in links:
            for begin, end in link.steps():
                is_role = end[0] != PERSON or link.role in roles
                is_near = nearest.get(begin[0]) == ours.get(begin[0]) == distance
                if end in here and is_role and is_near:
                    both = (overlap(link.span, each) for each in here[end])
                    ahead.setdefault(begin, []).extend(each for each in both if each[0] < each[1])
        for (_, value), found in ahead.items():
            spans.setdefault(value, []).extend(found)
        here = ahead
    kept = {value: tuple(sorted(set(found))) for value, found in spans.items() if found}
    return Whose(person=person, spans=kept, format=format_)


def near(links: Iterable[Link], roles: Collection[str] | None) -> dict[str, int]:
    """How many steps each type of identifier is from a person, in *roles* or in any."""
    steps = {
        (begin[0], end[0])
        for each in links
        for begin, end in each.steps()
        if end[0] != PERSON or roles is None or each.role in roles
    }
    found, distance = {PERSON: 0}, 0
    while ahead := {
        begin for begin, end in steps if found.get(end) == distance and begin not in found
    }:
        distance += 1
        found |= dict.fromkeys(ahead, distance)
    return found


def overlap(one: Span, other: Span) -> Span:
    """The time that both have, empty where its end is not after its start."""
    return max(one[0], other[0]), min(one[1], other[1])
