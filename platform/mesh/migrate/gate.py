"""The gate before a cut-over: what is still missing, each in words that say what to do.

    lacking(Facts(report="porting", …), nights=5)    # nothing, and it opens

A function of what was seen and said. Not here: where that comes from (`mesh.cli.migrate_gate`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

__all__ = ["CERTIFIED", "Facts", "blamed", "lacking", "newest"]

CERTIFIED = "certified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the gate goes by.

    *unexplained* has the rows without a cause of each day that was compared, *ours* those that a
    fault of the mesh explains; *rungs* has where each product stands that the query reads, None
    where nobody knows.
    """

    report: str
    last_night: date
    unexplained: Mapping[date, int]
    ours: Mapping[date, int]
    rungs: Mapping[str, str | None]
    readers: frozenset[str]
    agreed: frozenset[str]


def newest(
    rows: Iterable[Mapping[str, Any]], report: str, digest: str
) -> dict[date, Mapping[str, Any]]:
    """The newest comparison of each day of a report.

    What was compared with another text of the query says nothing of this one.
    """
    ours = [each for each in rows if (each["report"], each["digest"]) == (report, digest)]
    return {each["day"]: each for each in sorted(ours, key=lambda each: each["compared_at"])}


def blamed(row: Mapping[str, Any], causes: Set[str]) -> int:
    """How many rows of a comparison one of *causes* explains, by itself or with others."""
    return sum(each["rows"] for each in row["causes"] if causes & set(each["cause"].split(" + ")))


def lacking(facts: Facts, nights: int) -> tuple[str, ...]:
    """What is missing for a cut-over; *nights* in a row the ledger has to be clean."""
    return (*in_the_ledger(facts, nights), *in_products(facts), *in_agreements(facts))


def in_the_ledger(facts: Facts, nights: int) -> Iterator[str]:
    """The nights up to the last that were not compared, have rows without a cause, or by ours."""
    days = [facts.last_night - timedelta(days=each) for each in reversed(range(nights))]
    if missing := [each for each in days if each not in facts.unexplained]:
        yield (
            f"the ledger has nothing of {', '.join(map(str, missing))}:"
            f" `mesh migrate compare {facts.report} --from {missing[0]} --to {missing[-1]}`"
        )
    for day in days:
        if count := facts.unexplained.get(day):
            yield f"{count} rows of {day} have no cause: see `mesh migrate compare --rows`"
        if count := facts.ours.get(day):
            yield f"{count} rows of {day} differ by a fault of the mesh: mend it, and compare again"


def in_products(facts: Facts) -> Iterator[str]:
    """The products that its query reads and that are not certified now."""
    for product, rung in sorted(facts.rungs.items()):
        if rung != CERTIFIED:
            yield f"{product} is not certified but {rung or 'unknown'}: see `mesh ladder {product}`"


def in_agreements(facts: Facts) -> Iterator[str]:
    """The readers that have not agreed."""
    for reader in sorted(facts.readers - facts.agreed):
        yield f"{reader} has not agreed: `mesh migrate agree {facts.report} --as {reader}`"
