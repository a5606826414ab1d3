"""Who was seen to read what, beside who says it: the lineage that the catalogue keeps.

    book = Book(lambda: store.project)
    book.take(event, by="call-center")
    book.edges(), book.differences()

Products are asked at their doors (`watch`), others send OpenLineage events (`routes`). What was
seen may be kept elsewhere (*keep*) and given back (`restore`). Not here: what an event means for
ports (`mesh.contract.observed`), HTTP (`lineage_routes`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mesh.contract.impact import Lineage, trace
from mesh.contract.lineage import Edge
from mesh.contract.names import listed
from mesh.contract.observed import (
    Difference,
    Sighting,
    compared,
    differences,
    foreign_outputs,
    sightings,
)
from mesh.contract.openlineage import event_faults
from mesh.contract.project import Project
from mesh.errors import Refused, WrongUse

__all__ = ["Book", "Seen"]

# What one principal may be seen to read: more is no lineage but a flood.
MOST_SOURCES = 500
MOST_READERS = 5000
LONGEST_NAME = 512
# An event from further ahead would never be followed by a newer one.
SOON = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How one principal was seen to read one source: by which job, first and last."""

    first_at: datetime
    last: Sighting


class Book:
    """All that was seen. *project* has the accepted products; any thread may ask.

    *keep* is given each sighting of something new, and each that is an hour newer.
    """

    def __init__(
        self, project: Callable[[], Project], keep: Callable[[Sighting], None] = lambda _: None
    ) -> None:
        self._project, self._keep = project, keep
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], Seen] = {}
        self._ran: dict[str, datetime] = {}
        self._traced: Lineage | None = None
        self.generation = 0

    def take(self, event: object, by: str) -> int:
        """Take in an event of the principal *by*; how many inputs it names.

        Raises `WrongUse` for what is no event, `Refused` for what *by* may not say.
        """
        if faults := event_faults(event):
            raise WrongUse(f"it is no OpenLineage 2-0-2 event: {'; '.join(faults)}")
        assert isinstance(event, dict)  # noqa: S101 - an event is, for the type checker
        self._check(event, by)
        found = sightings(event, self._project(), by=by)
        self._check_flood({each.source for each in found}, by)
        if "run" in event:
            self.ran(by, datetime.fromisoformat(event["eventTime"]))
        for each in found:
            self._note(each)
        return len(found)

    def ran(self, by: str, at: datetime) -> None:
        """Take note that something of *by* ran."""
        with self._lock:
            self._ran[by] = max(at, self._ran.get(by, at))

    def restore(self, record: Mapping[str, Any]) -> None:
        """Take back what was kept. Raises `ValueError` or `KeyError` where it is none of ours."""
        sighting = Sighting(**{**record, "at": datetime.fromisoformat(record["at"])})
        self._remember(sighting)
        self.ran(sighting.target, sighting.at)

    def lineage(self) -> Lineage:
        """What is declared, with its columns; read anew where the products have changed."""
        project, before = self._project(), self._traced
        if before is None or before.project.products != project.products:
            self._traced = before = trace(project, before)
        return before

    def edges(self) -> tuple[Edge, ...]:
        """Every edge, declared, observed or both."""
        return compared(self.lineage().edges, self.sightings())

    def differences(self) -> tuple[Difference, ...]:
        """Where declared and observed differ."""
        return differences(self.edges(), self._readers())

    def as_document(self, product: str | None = None) -> dict[str, object]:
        """All edges and differences as JSON, or those of one product."""
        edges = [
            each
            for each in self.edges()
            if product is None or product in (each.target, each.source.partition(".")[0])
        ]
        with self._lock:
            seen = dict(self._seen)
        return {
            "edges": [edge_document(each, seen.get((each.source, each.target))) for each in edges],
            "differences": [
                {**asdict(each), "text": each.text} for each in differences(edges, self._readers())
            ],
        }

    def _check(self, event: Mapping[str, Any], by: str) -> None:
        """Raise `Refused` for what *by* may not say, `WrongUse` for what is out of all bounds."""
        if foreign := foreign_outputs(event, self._project(), by=by):
            raise Refused(f"{by} does not write {listed(foreign)}: only its writer may say so")
        parts = [
            event.get("job") or {},
            *(event.get("inputs") or ()),
            *(event.get("outputs") or ()),
        ]
        if any(len(each[name]) > LONGEST_NAME for each in parts for name in each if name in NAMES):
            raise WrongUse(f"a name is longer than {LONGEST_NAME} characters")
        if datetime.fromisoformat(event["eventTime"]) > datetime.now(UTC) + SOON:
            raise WrongUse("eventTime lies in the future: set the clock of its sender")

    def _check_flood(self, sources: set[str], by: str) -> None:
        """Raise `Refused` where *by* would name more than anybody reads."""
        with self._lock:
            mine = {source for source, target in self._seen if target == by}
            is_full = by not in self._ran and len(self._ran) >= MOST_READERS
        if len(mine | sources) > MOST_SOURCES or is_full:
            raise Refused(f"{by} names more than {MOST_SOURCES} sources: none of it is taken")

    def _note(self, sighting: Sighting) -> None:
        before = self._seen.get((sighting.source, sighting.target))
        if before is None or is_newer(sighting, before.last):
            self._keep(sighting)  # first: what could not be kept is as good as not said
        self._remember(sighting)

    def _remember(self, sighting: Sighting) -> None:
        pair = (sighting.source, sighting.target)
        with self._lock:
            before = self._seen.get(pair)
            if before is None:
                self._seen[pair] = Seen(first_at=sighting.at, last=sighting)
                self.generation += 1
            elif sighting.at >= before.last.at:
                self._seen[pair] = replace(before, last=sighting)
            else:
                self._seen[pair] = replace(before, first_at=min(before.first_at, sighting.at))

    def sightings(self) -> list[Sighting]:
        """Of each pair what was seen last."""
        with self._lock:
            return [each.last for each in self._seen.values()]

    def _readers(self) -> Collection[str]:
        with self._lock:
            return frozenset(self._ran)


NAMES = ("namespace", "name")


def is_newer(sighting: Sighting, before: Sighting) -> bool:
    """Whether it falls into a later hour, so that what is kept of it grows by the hour."""
    return hour(sighting.at) > hour(before.at)


def hour(at: datetime) -> datetime:
    """The hour of an instant."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def edge_document(edge: Edge, seen: Seen | None) -> dict[str, object]:
    """One edge as JSON; how it was seen, if it was."""
    return {
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind,
        "columns": [list(each) for each in edge.columns],
        "seen": None
        if seen is None
        else {
            "first_at": seen.first_at.isoformat(),
            "last_at": seen.last.at.isoformat(),
            "job": seen.last.job,
            "run": seen.last.run,
            "messages": seen.last.messages,
        },
    }
