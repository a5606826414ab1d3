"""A question to the key ring and its answer: what led where on that day, and who says so.

    answer = resolve(ring, chains.find("phone-number", "contract-number", None), "+1…", at)

The answer is one identifier, or several and none is picked, or not known and how far it came.
"""

from __future__ import annotations

from dataclasses import dataclass

from products.key_ring.chains import Step
from products.key_ring.ring import Ring, Statement

__all__ = ["Answer", "Hop", "resolve"]


@dataclass(frozen=True, slots=True)
class Hop:
    """One link of a path, and from which end it was taken."""

    step: Step
    statement: Statement


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found: *candidates* of type *reached*, by *path*.

    *is_whole* says whether the chain came to its end; if not, *candidates* are how far it came.
    """

    reached: str
    candidates: tuple[str, ...]
    path: tuple[Hop, ...]
    is_whole: bool

    @property
    def answer(self) -> str | None:
        """The one identifier, if it is one."""
        return self.candidates[0] if self.is_whole and len(self.candidates) == 1 else None

    @property
    def state(self) -> str:
        """`known`, `ambiguous` or `not known`."""
        if not self.is_whole:
            return "not known"
        return "known" if len(self.candidates) == 1 else "ambiguous"


def resolve(
    ring: Ring, chain: tuple[Step, ...], start: str, at: int, known_at: int | None = None
) -> Answer:
    """Follow *chain* from *start* as of *at*, as known at *known_at*."""
    reached = chain[0].start
    ids: tuple[str, ...] = (start,)
    path: list[Hop] = []
    for step in chain:
        name, forward = step.relation.name, step.forward
        found = [each for one in ids for each in ring.find(name, forward, one, at, known_at)]
        if not found:
            return Answer(reached, ids, tuple(path), is_whole=False)
        path += [Hop(step, each) for each in found]
        ends = [each.to_id if forward else each.from_id for each in found]
        ids = (ends[0],) if len(ends) == 1 else tuple(sorted(set(ends)))
        reached = step.end
    # Of several ways, those that did not end there are no part of the answer.
    if len(path) > len(chain):
        path = leading_to(path, set(ids))
    return Answer(reached, ids, tuple(path), is_whole=True)


def leading_to(path: list[Hop], ends: set[str]) -> list[Hop]:
    """The hops of *path* that lead to *ends*, in their order."""
    kept: list[Hop] = []
    wanted, step = ends, path[-1].step
    starts: set[str] = set()
    for hop in reversed(path):
        if hop.step is not step:
            wanted, starts, step = starts, set(), hop.step
        if hop.statement.end(forward=step.forward) in wanted:
            kept.append(hop)
            starts.add(hop.statement.end(forward=not step.forward))
    return kept[::-1]
