"""A naive key ring in plain Python, to compare with: it shares no code with the real one.

A statement is a tuple; instants are small numbers, None where an end is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

FIRST, LAST = -(10**9), 10**9


class Said(NamedTuple):
    """What an authority said: by which message, and about which link."""

    relation: str
    at: int
    partition: int
    offset: int
    statement: str
    link: str
    one: str
    other: str
    start: int | None
    end: int | None
    is_retracted: bool


# How many each end has: (a `from` has one `to`, a `to` has one `from`).
CARDINALITIES = {
    "many-to-one": (True, False),
    "one-to-many": (False, True),
    "one-to-one": (True, True),
    "many-to-many": (False, False),
}


def known(said: Iterable[Said], known_at: int) -> list[tuple[Said, tuple[int, int, int]]]:
    """The newest statement of every link at *known_at*, and where its first one stands."""
    by_statement: dict[tuple[str, str], Said] = {}
    for each in sorted(said, key=lambda each: each[1:4]):
        by_statement[each.relation, each.statement] = each
    newest: dict[tuple[str, str], Said] = {}
    first: dict[tuple[str, str], tuple[int, int, int]] = {}
    for each in sorted(by_statement.values(), key=lambda each: each[1:4]):
        key = (each.relation, each.link)
        first.setdefault(key, each[1:4])
        if each.at <= known_at:
            newest[key] = each
    return [(each, first[key]) for key, each in newest.items()]


def overlap(a: Said, b: Said) -> bool:
    """Whether two statements are true at one instant, by what they say."""
    instants = range(-1, 12)
    return any(covers(a, at) and covers(b, at) for at in (FIRST, *instants, LAST))


def covers(said: Said, at: int) -> bool:
    """Whether a statement is about the instant."""
    start = FIRST if said.start is None else said.start
    end = LAST + 1 if said.end is None else said.end
    return start <= at < end


def contradict(a: Said, b: Said, cardinality: str) -> bool:
    """Whether not both can be true."""
    one_other, one_from = CARDINALITIES[cardinality]
    differ = (one_other and a.one == b.one and a.other != b.other) or (
        one_from and a.other == b.other and a.one != b.one
    )
    return a.relation == b.relation and a.link != b.link and differ and overlap(a, b)


def links(said: Iterable[Said], kinds: dict[str, str], at: int, known_at: int) -> list[Said]:
    """The links that count."""
    there = [(each, first) for each, first in known(said, known_at) if not each.is_retracted]
    return [
        each
        for each, first in there
        if covers(each, at)
        and not any(
            before < first and contradict(each, other, kinds[each.relation])
            for other, before in there
        )
    ]


def follow(
    said: Iterable[Said],
    kinds: dict[str, str],
    chain: Iterable[tuple[str, bool]],
    start: str,
    at: int,
    known_at: int,
) -> tuple[set[str], int]:
    """Where *chain* leads, or how far it came, and over how many relations."""
    count = links(said, kinds, at, known_at)
    here, steps = {start}, 0
    for relation, is_forward in chain:
        mine = [each for each in count if each.relation == relation]
        ahead = {
            (each.other if is_forward else each.one)
            for each in mine
            if (each.one if is_forward else each.other) in here
        }
        if not ahead:
            break
        here, steps = ahead, steps + 1
    return here, steps
