"""Every topic on which a person may be, who writes it, and what whoever erases may do with it.

Not here: reading them (`search`), and erasing from them (`hand`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mesh.contract.audit import ERASER
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.product.plan import rejected_topic_of, retry_topic_of

__all__ = ["Place", "places_of", "rolling_id"]

Kind = Literal["staging", "port", "rejected", "retry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A *topic* that *writer* writes; a rejected or retry topic holds messages of many contracts.

    What a system wrote is erased by tombstones beside its own; what a product wrote, by itself.
    """

    topic: str
    kind: Kind
    writer: str
    contract: Contract | None = None


def places_of(project: Project) -> Iterator[Place]:
    """The topics of *project* that may hold a person, each once."""
    found: dict[str, Place] = {}
    for product in project.products.values():
        for port in product.inputs:
            rejected = rejected_topic_of(project, product, port)
            retry = retry_topic_of(rejected)
            found[rejected] = Place(topic=rejected, kind="rejected", writer=product.id)
            found[retry] = Place(topic=retry, kind="retry", writer=product.id)
            if port.system is not None or port.is_own:
                contract = project.input_contract(port)
                found[contract.topic] = Place(
                    topic=contract.topic, kind="staging", writer=ERASER, contract=contract
                )
        for output in product.outputs:
            contract = output.contract
            if contract.is_streamed:
                own = contract.rejected_topic
                found[own] = Place(topic=own, kind="rejected", writer=product.id)
                found[contract.topic] = Place(
                    topic=contract.topic, kind="port", writer=product.id, contract=contract
                )
    yield from (
        each
        for each in found.values()
        if each.contract is None or each.contract.has_personal_fields
    )


def rolling_id(principal: str) -> str:
    """The transactional id by which a segment of the topics of *principal* is ended."""
    return f"{ERASER}.{principal}"
