"""What running products were seen to read, asked at their doors, beside what they declare."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.cli.app import App
from mesh.cli.doors import answer
from mesh.contract.lineage import Edge
from mesh.contract.observed import Difference, Sighting, compared, differences, sightings
from mesh.contract.openlineage import event_faults
from mesh.errors import MeshError, NotRunning

__all__ = ["Seen", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Every edge with how it is known, where the two differ, and who did not answer."""

    edges: tuple[Edge, ...]
    differences: tuple[Difference, ...]
    silent: tuple[str, ...]

    @property
    def undeclared(self) -> tuple[Difference, ...]:
        """The reads that no descriptor says."""
        return tuple(each for each in self.differences if each.what == "undeclared")


def look(app: App, declared: tuple[Edge, ...]) -> Seen:
    """Ask every product. Raises `NotRunning` where none answers, `MeshError` for bad events."""
    project = app.project
    seen: list[Sighting] = []
    ran: set[str] = set()
    for product in project.products:
        try:
            document = answer("GET", f"{app.address(product)}/observability/lineage")
        except NotRunning:
            continue
        ran.add(product)
        events = document.get("events")
        for event in events if isinstance(events, list) else []:
            if faults := event_faults(event):
                raise MeshError(f"{product} tells no OpenLineage event: {faults[0]}")
            seen += sightings(event, project, by=product)
    if not ran:
        raise NotRunning("no product is running, so nothing is observed: start it with `mesh up`")
    edges = compared(declared, seen)
    return Seen(
        edges=edges,
        differences=differences(edges, ran),
        silent=tuple(sorted(project.products.keys() - ran)),
    )
