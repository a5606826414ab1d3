"""The links in memory, by either end, to be looked up in microseconds.

    ring.put(rows_of_links)
    ring.find("phone-number-contract", True, "+12025550101", at)

Two time axes: when a link is true, and what was known when. Not here: chains of relations
(`chains`), and questions as people ask them (`resolve`).
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from mesh.garbage import no_garbage

__all__ = ["ALWAYS", "FOREVER", "Ring", "Statement", "columns_of"]

# Open ends, in microseconds.
ALWAYS, FOREVER = -(2**63), 2**63 - 1
LINKS = (
    "relation", "statement_id", "link_id", "from_id", "to_id", "valid_from", "valid_to",
    "retracted", "known_from", "known_to", "holds", "authority", "topic", "partition", "offset",
)  # fmt: skip
CONFLICTS = ("relation", "statement_id", "holder_statement_id", "known_from", "known_to")
# Above, sorting once is faster than looking at each.
FEW = 8
# A relation, from its `from` or back.
Side: TypeAlias = tuple[str, bool]
# What millions of statements say with the same few words.
SHARED = ("relation", "authority", "topic")


class Statement(NamedTuple):
    """One statement about a link; instants in microseconds, open ends as numbers beyond all."""

    relation: str
    statement_id: str
    link_id: str
    from_id: str
    to_id: str
    valid_from: int
    valid_to: int
    retracted: bool
    known_from: int
    known_to: int
    holds: bool
    authority: str
    topic: str
    partition: int
    offset: int

    def end(self, *, forward: bool) -> str:
        """The identifier that it leads to."""
        return self.to_id if forward else self.from_id


class Sorted:
    """The statements about an identifier that hold, by start: for those that have many."""

    __slots__ = ("ends", "found", "source", "starts")

    def __init__(self, statements: list[Statement]) -> None:
        self.source = statements
        holding = (each for each in statements if each.holds)
        self.found = sorted(holding, key=lambda each: each.valid_from)
        self.starts = [each.valid_from for each in self.found]
        # The latest end of all up to each: behind one that is past, nobody needs to look.
        self.ends = list(accumulate((each.valid_to for each in self.found), max))

    def at(self, at: int) -> list[Statement]:
        """What holds at *at*."""
        found = []
        place = bisect_right(self.starts, at) - 1
        while place >= 0 and self.ends[place] > at:
            if self.found[place].valid_to > at:
                found.append(self.found[place])
            place -= 1
        return found


class Ring:
    """All statements and their disputes. One thread changes it; others may look meanwhile.

    A list that is found is never changed, only replaced, so that whoever looks sees an
    identifier as it was before a statement, or after it.
    """

    def __init__(self) -> None:
        # By relation and direction, then by identifier.
        self._lists: defaultdict[Side, dict[str, list[Statement]]] = defaultdict(dict)
        self._sorted: defaultdict[Side, dict[str, Sorted]] = defaultdict(dict)
        self._statements: dict[tuple[str, str], Statement] = {}
        self._disputes: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._statements)

    def put(self, links: pa.Table) -> None:
        """Take in new or other rows of the port `links`."""
        with no_garbage():
            for row in zip(*columns_of(links, LINKS), strict=True):
                statement = Statement(*row)
                key = (statement.relation, statement.statement_id)
                known = self._statements.get(key)
                self._statements[key] = statement
                for side, start in sides(statement):
                    lists = self._lists[side]
                    found = lists.get(start, ())
                    lists[start] = [*(e for e in found if e is not known), statement]
                if known is not None:
                    self._take_out(known, statement)

    def drop(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Forget statements, by relation and statement id."""
        for relation, statement_id in keys:
            known = self._statements.pop((relation, statement_id), None)
            if known is not None:
                self._take_out(known)

    def _take_out(self, known: Statement, new: Statement | None = None) -> None:
        """Take *known* out wherever *new* has not taken its place."""
        kept = sides(new) if new is not None else ()
        for side, start in sides(known):
            if (side, start) in kept:
                continue
            left = [each for each in self._lists[side][start] if each is not known]
            if left:
                self._lists[side][start] = left
            else:
                del self._lists[side][start]
                self._sorted[side].pop(start, None)

    def put_disputes(self, conflicts: pa.Table) -> None:
        """Take in new or other rows of the port `conflicts`."""
        rows = zip(*columns_of(conflicts, CONFLICTS), strict=True)
        for relation, loser, holder, start, end in rows:
            self._disputes.setdefault((relation, loser), {})[holder] = (start, end)

    def drop_disputes(self, keys: Iterable[tuple[str, ...]]) -> None:
        """Forget conflicts, by relation and the two statements."""
        for relation, loser, holder in keys:
            self._disputes.get((relation, loser), {}).pop(holder, None)

    def find(
        self, relation: str, forward: bool, start: str, at: int, known_at: int | None = None
    ) -> list[Statement]:
        """The links of *start* that hold at *at*, as known at *known_at*, or by all that is known.

        From either end: *forward* from the relation's `from`.
        """
        side = (relation, forward)
        statements = self._lists[side].get(start)
        if statements is None:
            return []
        if known_at is not None:
            return [each for each in statements if self._held(each, at, known_at)]
        if len(statements) <= FEW:
            return [e for e in statements if e.holds and e.valid_from <= at < e.valid_to]
        found = self._sorted[side].get(start)
        if found is None or found.source is not statements:
            found = self._sorted[side][start] = Sorted(statements)
        return found.at(at)

    def _held(self, each: Statement, at: int, known_at: int) -> bool:
        """Whether a statement counted at *at*, by what was known at *known_at*."""
        return (
            each.valid_from <= at < each.valid_to
            and each.known_from <= known_at < each.known_to
            and not each.retracted
            and not self._is_disputed(each, known_at)
        )

    def _is_disputed(self, statement: Statement, known_at: int) -> bool:
        disputes = self._disputes.get((statement.relation, statement.statement_id), {})
        return any(start <= known_at < end for start, end in disputes.values())


def sides(statement: Statement) -> tuple[tuple[Side, str], tuple[Side, str]]:
    """By what a statement is found, from either end."""
    relation = statement.relation
    return ((relation, True), statement.from_id), ((relation, False), statement.to_id)


def columns_of(table: pa.Table, names: tuple[str, ...]) -> list[list[Any]]:
    """Columns as Python values: instants in microseconds, open ends as numbers."""
    found = []
    for name in names:
        column = table[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
            column = column.fill_null(ALWAYS if name.endswith("_from") else FOREVER)
        values = column.to_pylist()
        found.append([sys.intern(each) for each in values] if name in SHARED else values)
    return found
