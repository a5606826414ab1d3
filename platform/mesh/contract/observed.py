"""Lineage declared against observed: what OpenLineage events saw, and where they differ.

    seen = sightings(event, project, by="call-center")
    edges = compared(declared_edges(project), seen)
    for each in differences(edges, {"call-center"}):
        print(each.source, each.target, each.what)

Pure functions over values. Not here: whether a document is an event (`openlineage`), and who
keeps what was seen (the catalogue).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from mesh.contract.lineage import Edge
from mesh.contract.names import parse_topic
from mesh.contract.project import Project

__all__ = ["Difference", "Sighting", "compared", "differences", "foreign_outputs", "sightings"]

What = Literal["undeclared", "unobserved"]
KAFKA = "kafka://"
# What a product keeps beside its ports: nobody declares it, and nobody else may read it.
OWN_PARTS = ("rejected", "retry", "position", "descriptor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """*target* was seen to read *source*, a contract's id, or a topic or name that is no port's."""

    source: str
    target: str
    at: datetime
    job: str
    run: str
    messages: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An edge that was only declared, or only observed."""

    source: str
    target: str
    what: What

    @property
    def text(self) -> str:
        """The difference in a sentence."""
        if self.what == "undeclared":
            return f"{self.target} reads {self.source}, and no input port of it says so"
        return f"{self.target} says that it reads {self.source}, and no run of it has"


def sightings(event: Mapping[str, Any], project: Project, *, by: str) -> tuple[Sighting, ...]:
    """What a valid run event of the principal *by* says it read; none of what is its own.

    A dataset that is no port of the mesh is named by its namespace and name.
    """
    if "run" not in event:  # a job or a dataset as such: nothing ran
        return ()
    ports = {each.topic: each.id for each in project.contracts.values()}
    job = event["job"]
    found = []
    for dataset in event.get("inputs") or ():
        is_topic = dataset["namespace"].startswith(KAFKA)
        if is_topic and is_own_part(dataset["name"], by):
            continue
        outside = f"{dataset['namespace']}/{dataset['name']}"
        found.append(
            Sighting(
                source=ports.get(dataset["name"], outside) if is_topic else outside,
                target=by,
                at=datetime.fromisoformat(event["eventTime"]),
                job=f"{job['namespace']}/{job['name']}",
                run=event["run"]["runId"],
                messages=count_of(dataset),
            )
        )
    return tuple(found)


def count_of(dataset: Mapping[str, Any]) -> int | None:
    """How many messages were read, where the event says it."""
    count = (dataset.get("inputFacets") or {}).get("inputStatistics", {}).get("rowCount")
    return count if isinstance(count, int) else None


def is_own_part(topic: str, product: str) -> bool:
    """Whether a topic is a product's own plumbing: what it set aside, or its position."""
    parts = topic.split(".")
    return (
        len(parts) >= 5
        and parts[0] == "priv"
        and parts[2] == product
        and any(each in OWN_PARTS for each in parts[3:-1])
    )


def foreign_outputs(event: Mapping[str, Any], project: Project, *, by: str) -> tuple[str, ...]:
    """The topics of the mesh that *by* says it wrote, and that others alone may write."""
    writers = {each.topic: project.writer_of(each) for each in project.contracts.values()}
    names = [
        each["name"] for each in event.get("outputs") or () if each["namespace"].startswith(KAFKA)
    ]
    return tuple(
        name
        for name in names
        if writers.get(name, by) != by or (name not in writers and not may_be_of(name, by))
    )


def may_be_of(topic: str, principal: str) -> bool:
    """Whether a topic that is no port's may be the principal's, or is none of the mesh."""
    found = parse_topic(topic)
    return found is None or found.product == principal


def compared(declared: Iterable[Edge], seen: Iterable[Sighting]) -> tuple[Edge, ...]:
    """Every edge of either kind, in order: `declared`, `observed`, or `both`."""
    observed = {(each.source, each.target) for each in seen}
    edges = {(each.source, each.target): each for each in declared}
    both = [
        replace(each, kind="both" if pair in observed else "declared")
        for pair, each in edges.items()
    ]
    alone = [
        Edge(source=source, target=target, kind="observed")
        for source, target in observed - edges.keys()
    ]
    return tuple(sorted([*both, *alone], key=lambda each: (each.source, each.target)))


def differences(edges: Iterable[Edge], ran: Collection[str]) -> tuple[Difference, ...]:
    """Where declared and observed differ. Of who has not *ran*, nothing is missed."""
    found = [
        Difference(
            source=each.source,
            target=each.target,
            what="undeclared" if each.kind == "observed" else "unobserved",
        )
        for each in edges
        if each.kind == "observed" or (each.kind == "declared" and each.target in ran)
    ]
    return tuple(found)
