"""The parity ledger: rows of the warehouse's reports beside the mesh's, each difference explained.

    page = Ledger(bench, causes).page(report, day, old, answer)
    page.verdict, page.lines

A difference is explained by the smallest set of causes under which the mesh's query gives exactly
the warehouse's row. Not here: where the rows come from (`bench`), and what a cause is (`causes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import chain, combinations
from typing import Any

from sqlglot import exp

from mesh.errors import MeshError
from mesh.migrate.bench import Answer, Bench
from mesh.migrate.causes import Cause, imitated
from mesh.migrate.verdict import Verdict

__all__ = ["UNEXPLAINED", "Ledger", "Line", "Page", "Report"]

Row = tuple[Any, ...]
ByKey = Mapping[Row, list[Row]]
DIFFERENT = "different"
ONLY_MESH, ONLY_WAREHOUSE = "only in the mesh", "only in the warehouse"
UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report by the warehouse's name, the mesh's query of it, and the columns of a row's key."""

    name: str
    sql: str = field(repr=False)
    query: exp.Expr = field(repr=False)
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row that is not equal: *old* in the warehouse, *new* in the mesh; empty where it is not.

    *causes* are those that explain it together; None where nothing does.
    """

    key: Row
    old: list[Row]
    new: list[Row]
    causes: tuple[str, ...] | None

    @property
    def kind(self) -> str:
        """Whether it is on both sides."""
        if self.old and self.new:
            return DIFFERENT
        return ONLY_WAREHOUSE if self.old else ONLY_MESH

    @property
    def cause(self) -> str:
        """The causes as text."""
        return UNEXPLAINED if self.causes is None else " + ".join(self.causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One report on one day."""

    verdict: Verdict
    columns: Sequence[str]
    lines: tuple[Line, ...]


class Ledger:
    """Explains what differs by *causes*, of each of which there is evidence on the *bench*."""

    def __init__(self, bench: Bench, causes: Sequence[Cause]) -> None:
        self._bench, self._causes = bench, causes
        self._queries: dict[tuple[str, tuple[Cause, ...]], str] = {}

    def page(self, report: Report, day: date, old: Sequence[Row], answer: Answer) -> Page:
        """Compare the warehouse's rows of a day with the mesh's answer.

        Raises `MeshError` where that is of other rows than are on the bench.
        """
        columns, rows = self._rows(report, (), day)
        new = [tuple(row[name] for name in columns) for row in answer.rows.to_pylist()]
        if Counter(new) != Counter(rows):
            raise MeshError(
                f"{report.name} of {day} has changed while it was compared: once nothing is fed,"
                " compare it again"
            )
        places = [columns.index(name) for name in report.key]
        before, after = by_key(old, places), by_key(new, places)
        differing = {key: None for key in (*before, *after) if before.get(key) != after.get(key)}
        causes = self._explain(report, day, {key: before.get(key) for key in differing}, places)
        lines = tuple(
            Line(
                key=key,
                old=before.get(key, []),
                new=after.get(key, []),
                causes=causes.get(key),
            )
            for key in sorted(differing, key=repr)
        )
        equal = sum(len(each) for key, each in after.items() if key not in differing)
        verdict = verdict_of(report, day, lines, equal, answer.offsets)
        return Page(verdict=verdict, columns=columns, lines=lines)

    def _explain(
        self, report: Report, day: date, wanted: Mapping[Row, list[Row] | None], places: list[int]
    ) -> dict[Row, tuple[str, ...]]:
        """The causes of each row of the warehouse (None, no row) that any set of them gives."""
        found: dict[Row, tuple[str, ...]] = {}
        usable = [each for each in self._causes if each.touches(report.query)]
        for some in subsets(usable):
            if len(found) == len(wanted):
                break
            made = by_key(self._rows(report, some, day)[1], places)
            for key, rows in wanted.items():
                if key not in found and made.get(key) == rows:
                    found[key] = tuple(each.name for each in some)
        return found

    def _rows(
        self, report: Report, causes: tuple[Cause, ...], day: date
    ) -> tuple[list[str], list[Row]]:
        """The answer of the mesh's query where *causes* act."""
        known = (report.name, causes)
        if known not in self._queries:
            self._queries[known] = imitated(report.query, causes)
        self._bench.imitate(causes, self._causes)
        return self._bench.rows(self._queries[known], day)


def subsets(causes: Sequence[Cause]) -> Iterator[tuple[Cause, ...]]:
    """All sets of causes but the empty one, the smallest first, and those without our faults."""
    sizes = range(1, len(causes) + 1)
    every = chain.from_iterable(combinations(causes, size) for size in sizes)
    yield from sorted(every, key=lambda some: (len(some), any(c.is_ours for c in some)))


def by_key(rows: Iterable[Row], places: Sequence[int]) -> dict[Row, list[Row]]:
    """Rows by their key, sorted: of a report that says something twice both count."""
    found: dict[Row, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[place] for place in places), []).append(row)
    return {key: each if len(each) == 1 else sorted(each, key=repr) for key, each in found.items()}


def verdict_of(
    report: Report, day: date, lines: Sequence[Line], equal: int, offsets: Mapping[str, object]
) -> Verdict:
    """The lines, counted."""
    kinds = Counter(each.kind for each in lines)
    return Verdict(
        report=report.name,
        day=day,
        equal=equal,
        different=kinds[DIFFERENT],
        only_mesh=kinds[ONLY_MESH],
        only_warehouse=kinds[ONLY_WAREHOUSE],
        causes=dict(Counter(each.cause for each in lines if each.causes is not None)),
        unexplained=sum(each.causes is None for each in lines),
        offsets=offsets,
        compared_at=datetime.now(UTC),
    )
