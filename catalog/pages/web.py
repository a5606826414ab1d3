"""Who reads whom as a graph of products, systems and people: what both pictures are drawn from.

Made of a shelf's edges. Not here: places (`pictures`), which part is shown (`map`, `lineage`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from catalog.pages.pictures import Node
from catalog.pages.rungs import number_of, rung_of
from catalog.pages.texts import link_to
from catalog.shelf import Shelf

__all__ = ["Flow", "domains_of", "flows_of", "node_of", "system_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """*target* reads *ports* of *source*; both are keys: a product's id, or a system's."""

    source: str
    target: str
    ports: Sequence[str]
    kind: str

    @property
    def note(self) -> str:
        """In words, for whoever points at the arrow or cannot see it."""
        how = {"observed": ", though it is not declared", "both": ", as declared and seen"}
        source, target = (each.removeprefix("system:") for each in (self.source, self.target))
        return f"{target} reads {', '.join(self.ports)} of {source}{how.get(self.kind, '')}"


def system_key(name: str) -> str:
    """The key of an operational system, which may be called as a product is."""
    return f"system:{name}"


def flows_of(shelf: Shelf) -> Sequence[Flow]:
    """One flow for each pair that has an edge; *observed* before *declared* before *both*."""
    contracts = shelf.project.contracts
    found: dict[tuple[str, str], dict[str, str]] = {}
    writers = dict(_writers(shelf))
    for edge in shelf.edges:
        contract = contracts.get(edge.source)
        source = edge.source.partition(".")[0] if contract is None else contract.product
        if (edge.source, edge.target) in writers:
            source = writers[edge.source, edge.target]
        if source != edge.target:
            found.setdefault((source, edge.target), {})[edge.source] = edge.kind
    return [
        Flow(source=source, target=target, ports=sorted(ports), kind=worst(ports.values()))
        for (source, target), ports in sorted(found.items())
    ]


def worst(kinds: Iterable[str]) -> str:
    """The kind of a flow of several edges: what differs from its declaration shows."""
    found = set(kinds)
    return next((each for each in ("observed", "declared") if each in found), "both")


def _writers(shelf: Shelf) -> Iterator[tuple[tuple[str, str], str]]:
    """Which system writes a staging topic, by contract and product that reads it."""
    for product in shelf.project.products.values():
        for port in product.inputs:
            if port.system:
                yield (port.contract_id, product.id), system_key(port.system)


def node_of(key: str, shelf: Shelf) -> Node:
    """The tile of a product, or of a system, or of what has a name only."""
    entry = shelf.entries.get(key)
    if key.startswith("system:"):
        name = key.removeprefix("system:")
        return Node(key=key, label=name, note=f"{name}, an operational system", kind="system")
    if entry is None:
        return Node(key=key, label=key, note=f"{key}, not in the catalogue", kind="unknown")
    rung = rung_of(entry)
    state = entry.observed.state if entry.observed else "not observed"
    note = f"{entry.product.id}: {rung or 'no rung'}, {state}"
    return Node(
        key=key,
        label=entry.product.name,
        note=note,
        href=link_to("products", key),
        rung=number_of(rung),
    )


def domains_of(shelf: Shelf, keys: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """*keys* by domain; systems and what is not known under an empty name."""
    found: dict[str, list[str]] = {}
    for key in keys:
        entry = shelf.entries.get(key)
        found.setdefault(entry.product.domain if entry else "", []).append(key)
    return dict(sorted(found.items()))
