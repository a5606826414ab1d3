"""Lineage as the descriptors declare it: which product reads which port.

    for edge in declared_edges(project):
        print(edge.source, "->", edge.target)

An edge goes from a port (its contract's id) to a product that reads it; that a product writes its
own ports follows from their names. Not here: which field is made of which (`columns`), and what
ran (`mesh.observe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesh.contract.project import Project

__all__ = ["Edge", "EdgeKind", "declared_edges"]

EdgeKind = Literal["declared", "observed", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Product *target* reads the port *source*, a contract's id.

    *columns* are pairs: a field of the source, and `contract.field` that gets its value from it.
    """

    source: str
    target: str
    kind: EdgeKind = "declared"
    columns: tuple[tuple[str, str], ...] = ()


def declared_edges(project: Project) -> tuple[Edge, ...]:
    """An edge for each port that a product says it reads, in order of their names.

    An input port that stands for all relations is an edge for each of them.
    """
    relations = [each.id for each in project.relations]
    pairs = {
        (source, product.id)
        for product in project.products.values()
        for port in product.inputs
        for source in (relations if port.family else [port.contract_id])
    }
    return tuple(Edge(source=source, target=target) for source, target in sorted(pairs))
