"""Which relations lead from one type of identifier to another, and what a question must say.

A person stands in a role to a contract or an account, so a chain that ends at (or starts from)
persons needs to be told which. So does one that could take several relations between the same
two types. There is no customer: the word is refused, with the roles that there are.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from mesh.contract.model import Relation
from mesh.contract.names import shown
from mesh.contract.questions import HOUSEHOLD, PERSON, require_role, roles_of, say_roles
from mesh.errors import WrongUse

__all__ = ["Chains", "Step"]


class Step(NamedTuple):
    """One relation, taken from its `from` to its `to`, or back."""

    relation: Relation
    forward: bool

    @property
    def start(self) -> str:
        """The type of identifier that it starts from."""
        return self.relation.from_type if self.forward else self.relation.to_type

    @property
    def end(self) -> str:
        """The type that it leads to."""
        return self.relation.to_type if self.forward else self.relation.from_type


class Chains:
    """The shortest chains over *relations*."""

    def __init__(self, relations: Sequence[Relation]) -> None:
        self.relations = tuple(sorted(relations, key=lambda each: each.name))
        pairs = Counter(frozenset((each.from_type, each.to_type)) for each in self.relations)
        self._bound = {
            each.name
            for each in self.relations
            if pairs[frozenset((each.from_type, each.to_type))] > 1
            or (
                PERSON in (each.from_type, each.to_type)
                and HOUSEHOLD not in (each.from_type, each.to_type)
            )
        }
        self._found: dict[tuple[str, str, str | None], tuple[Step, ...]] = {}

    def find(self, start: str, end: str, role: str | None) -> tuple[Step, ...]:
        """The chain from *start* to *end*, by *role* where one is needed.

        Raises `WrongUse` where the question must say more, or nothing leads there.
        """
        key = (start, end, role)
        if key not in self._found:
            self._found[key] = self._search(start, end, role)
        return self._found[key]

    def _search(self, start: str, end: str, role: str | None) -> tuple[Step, ...]:
        known = {each.role for each in self.relations}
        if role is not None and role not in known:
            raise WrongUse(f"no relation states a {shown(role)}: {say_roles(self.relations)}")
        require_role(start, end, role, self.relations)
        found = self._shortest(start, end, role)
        if found is None and end == PERSON and role is not None:
            # Whoever asks for a household is given the household, where its members are not stated.
            roles = roles_of(self.relations)
            found = self._shortest(start, roles[role].to_type, role) if role in roles else None
        if found is None:
            words = f" as {role}" if role else ""
            raise WrongUse(
                f"no chain of relations leads from {start} to {end}{words}: "
                f"there are {', '.join(each.name for each in self.relations) or 'none'}"
            )
        return found

    def _shortest(self, start: str, end: str, role: str | None) -> tuple[Step, ...] | None:
        """Breadth first over types; with a role, a chain must take a relation that states it."""
        first = (start, role is None)
        before: dict[tuple[str, bool], tuple[tuple[str, bool], Step] | None] = {first: None}
        waiting = deque([first])
        while waiting:
            place = waiting.popleft()
            if place == (end, True) and before[place] is not None:
                return trace(before, place)
            for step in self._steps(place[0], role):
                after = (step.end, place[1] or step.relation.role == role)
                if after not in before:
                    before[after] = (place, step)
                    waiting.append(after)
        return None

    def _steps(self, start: str, role: str | None) -> list[Step]:
        """The relations that may be taken from a type: those bound to a role in that role only."""
        return [
            Step(each, forward)
            for each in self.relations
            for forward in (True, False)
            if Step(each, forward).start == start
            and (each.name not in self._bound or each.role == role)
        ]


def trace(
    before: dict[tuple[str, bool], tuple[tuple[str, bool], Step] | None], place: tuple[str, bool]
) -> tuple[Step, ...]:
    """The steps that led to *place*."""
    steps: list[Step] = []
    while (came := before[place]) is not None:
        place, step = came
        steps.append(step)
    return tuple(reversed(steps))
