"""The lineage of one product: what it reads, its ports, and who reads them.

Not here: where edges come from (`mesh.contract.lineage`), the whole mesh (`map`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from catalog.pages.pictures import Group, Line, Node, Picture, layered
from catalog.pages.texts import link_to
from catalog.pages.web import node_of, system_key
from catalog.shelf import Shelf
from mesh.contract.lineage import Edge
from mesh.contract.model import Product

__all__ = ["lineage_document", "lineage_picture"]

# A port that hundreds read is a picture of some, and a list of all.
MOST_READERS = 14


def lineage_document(shelf: Shelf, product: Product) -> dict[str, object]:
    """What the product reads and who reads it, with the fields that go along."""
    return {
        "reads": [
            {
                "contract": each.source,
                "product": owner_of(each, shelf),
                "system": writer_of(each, product),
                "kind": each.kind,
                "columns": [{"from": a, "to": b} for a, b in each.columns],
            }
            for each in reads_of(shelf, product)
        ],
        "read_by": [
            {
                "contract": each.source,
                "product": each.target,
                "kind": each.kind,
                "columns": [{"from": a, "to": b} for a, b in each.columns],
            }
            for each in read_by(shelf, product)
        ],
        "people": {
            port.contract.id: [
                name
                for name in shelf.project.readers_of(port.contract)
                if name in shelf.project.people
            ]
            for port in product.outputs
        },
    }


def lineage_picture(shelf: Shelf, product: Product) -> Picture:
    """The same as places: sources, this product with its ports, readers."""
    lines: dict[tuple[str, str], Line] = {}
    sources: dict[str, list[Node]] = {}
    for edge in reads_of(shelf, product):
        key = f"in:{edge.source}"
        name = writer_of(edge, product) or owner_of(edge, shelf)
        nodes = sources.setdefault(name, [])
        nodes.append(input_node(key, edge, shelf, product))
        lines[key, "self"] = line(key, "self", edge, f"{product.id} reads {edge.source}")
    readers: dict[str, Node] = {}
    for edge in read_by(shelf, product):
        readers[edge.target] = node_of(edge.target, shelf)
        key = f"out:{edge.source}"
        lines[key, edge.target] = line(key, edge.target, edge, f"{edge.target} reads {edge.source}")
    left = [
        Group(key=f"from:{name}", label=name, nodes=nodes, href=page_of(name, shelf))
        for name, nodes in sorted(sources.items())
    ]
    shown = sorted(readers)[:MOST_READERS]
    nodes = [readers[each] for each in shown]
    if len(readers) > len(shown):
        more = f"… {len(readers) - len(shown)} more"
        nodes.append(Node(key="more", label=more, note="in the list below", kind="unknown"))
    right = [Group(key="readers", label="read by", nodes=nodes)] if nodes else []
    own = Group(key="self", label=product.name, nodes=port_nodes(product))
    return layered([left, [own], right], list(lines.values()))


def reads_of(shelf: Shelf, product: Product) -> Sequence[Edge]:
    """The edges into a product."""
    return [each for each in shelf.edges if each.target == product.id]


def read_by(shelf: Shelf, product: Product) -> Sequence[Edge]:
    """The edges out of a product's output ports, to others."""
    own = {port.contract.id for port in product.outputs}
    return [each for each in shelf.edges if each.source in own and each.target != product.id]


def owner_of(edge: Edge, shelf: Shelf) -> str:
    """The product whose port an edge begins at."""
    owner, _, _ = edge.source.partition(".")  # a contract's id begins with its product's
    return owner


def writer_of(edge: Edge, product: Product) -> str | None:
    """The system that writes a staging topic."""
    systems: Mapping[str, str | None] = {each.contract_id: each.system for each in product.inputs}
    return systems.get(edge.source)


def input_node(key: str, edge: Edge, shelf: Shelf, product: Product) -> Node:
    """The tile of a port that is read."""
    port = edge.source.partition(".")[2] or edge.source
    system = writer_of(edge, product)
    if system is not None:
        note = f"{node_of(system_key(system), shelf).note} writes {edge.source}"
        return Node(key=key, label=port, note=note, kind="system")
    owner = owner_of(edge, shelf)
    if owner == product.id:
        return Node(key=key, label=port, note=f"{owner} itself writes {edge.source}", kind="port")
    is_known = owner in shelf.entries
    href = f"{link_to('products', owner)}#port-{port}" if is_known else None
    kind = "port" if is_known else "unknown"
    return Node(key=key, label=port, note=edge.source, href=href, kind=kind)


def page_of(name: str, shelf: Shelf) -> str | None:
    """The page of a product that is on the shelf."""
    return link_to("products", name) if name in shelf.entries else None


def port_nodes(product: Product) -> Sequence[Node]:
    """The output ports as tiles."""
    return [
        Node(
            key=f"out:{port.contract.id}",
            label=port.name,
            note=port.contract.id,
            href=f"#port-{port.name}",
            kind="port",
        )
        for port in product.outputs
    ]


def line(source: str, target: str, edge: Edge, note: str) -> Line:
    """The arrow of an edge."""
    note += {"observed": ", which is not declared", "both": ", as declared and seen"}.get(
        edge.kind, ", as declared"
    )
    return Line(source=source, target=target, kind=edge.kind, note=note)
