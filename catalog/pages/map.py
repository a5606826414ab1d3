"""The map of the mesh: all products by domain, and who reads whom.

A small mesh is one picture with its arrows. A large one is tiles without them, which stay
readable, and a picture with arrows a domain (`/map?domain=NAME`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from catalog.pages.pictures import Group, Line, Node, Picture, layered, packed
from catalog.pages.rungs import rung_of
from catalog.pages.web import Flow, domains_of, flows_of, node_of
from catalog.shelf import Shelf

__all__ = ["map_document", "map_picture"]

# More tiles than this, and arrows would hide what they join.
MOST_WITH_ARROWS = 40
# More neighbours on one side than this stand for their domain each.
MOST_NEIGHBOURS = 16


def map_document(shelf: Shelf, domain: str | None = None) -> dict[str, object]:
    """What the map shows, as data; with *domain*, that one and its neighbours."""
    flows = within(flows_of(shelf), shelf, domain)
    keys = shown_keys(shelf, flows, domain)
    return {
        "domain": domain,
        "domains": [
            {"name": name, "products": [summary(shelf, each) for each in ids]}
            for name, ids in domains_of(shelf, keys).items()
            if name
        ],
        "systems": sorted(
            key.removeprefix("system:") for key in keys if key.startswith("system:")
        ),
        "flows": [
            {"from": each.source.removeprefix("system:"),
             "to": each.target, "ports": list(each.ports), "kind": each.kind, "note": each.note}
            for each in flows
        ],
    }  # fmt: skip


def map_picture(shelf: Shelf, domain: str | None = None) -> Picture:
    """The map as places."""
    flows = within(flows_of(shelf), shelf, domain)
    keys = shown_keys(shelf, flows, domain)
    if len(keys) > MOST_WITH_ARROWS and domain is None:
        return packed(groups_of(shelf, sorted(shelf.entries)))
    if domain is not None:
        return around(shelf, flows, domain)
    return layered(by_depth(shelf, flows, keys), lines_of(flows))


def lines_of(flows: Sequence[Flow], names: Mapping[str, str] | None = None) -> Sequence[Line]:
    """An arrow a flow; *names* has the ends that another tile stands for."""
    names = names or {}
    found: dict[tuple[str, str], Line] = {}
    for each in flows:
        ends = names.get(each.source, each.source), names.get(each.target, each.target)
        found[ends] = Line(source=ends[0], target=ends[1], kind=each.kind, note=each.note)
    return list(found.values())


def within(flows: Sequence[Flow], shelf: Shelf, domain: str | None) -> Sequence[Flow]:
    """The flows that have an end in *domain*, or all."""
    if domain is None:
        return flows
    inside = {key for key, each in shelf.entries.items() if each.product.domain == domain}
    return [each for each in flows if each.source in inside or each.target in inside]


def shown_keys(shelf: Shelf, flows: Sequence[Flow], domain: str | None) -> Sequence[str]:
    """Every product of the domain, or of all, and the other ends of the flows."""
    ends = {end for each in flows for end in (each.source, each.target)}
    own = {k for k, each in shelf.entries.items() if domain in (None, each.product.domain)}
    return sorted(ends | own)


def around(shelf: Shelf, flows: Sequence[Flow], domain: str) -> Picture:
    """Whom the domain reads, its products, and who reads them."""
    own = {key for key, each in shelf.entries.items() if each.product.domain == domain}
    before = {each.source for each in flows} - own
    after = {each.target for each in flows} - own - before
    names: dict[str, str] = {}
    columns = [
        beside(shelf, sorted(before), names),
        groups_of(shelf, sorted(own)),
        beside(shelf, sorted(after), names),
    ]
    return layered(columns, lines_of(flows, names))


def beside(shelf: Shelf, keys: Sequence[str], names: dict[str, str]) -> Sequence[Group]:
    """The neighbours on one side; many of them as one tile a domain, which *names* is told."""
    if len(keys) <= MOST_NEIGHBOURS:
        return groups_of(shelf, keys)
    nodes = []
    for name, ids in domains_of(shelf, keys).items():
        key = f"beside:{ids[0]}"
        names.update(dict.fromkeys(ids, key))
        label = f"{name or 'not known here'} ({len(ids)})"
        kind = "product" if name else "unknown"
        note = ", ".join(ids[:12]) + (" …" if len(ids) > 12 else "")
        nodes.append(Node(key=key, label=label, note=note, href=page_of(name), kind=kind))
    return [Group(key=f"beside:{keys[0]}", label="products by domain", nodes=nodes)]


def by_depth(shelf: Shelf, flows: Sequence[Flow], keys: Sequence[str]) -> Sequence[Sequence[Group]]:
    """Domains in columns: a domain stands behind those that it reads; systems stand first."""
    domains = domains_of(shelf, keys)
    home = {key: name for name, ids in domains.items() for key in ids}
    reads: dict[str, set[str]] = {name: set() for name in domains}
    for each in flows:
        if home[each.source] and home[each.source] != home[each.target]:
            reads[home[each.target]].add(home[each.source])
    depths: dict[str, int] = {}
    for name in reads:
        depth_of(name, reads, depths)
    names = sorted((name for name in domains if name), key=lambda name: (depths[name], name))
    columns: list[list[Group]] = [[] for _ in range(max(depths.values(), default=-1) + 1)]
    for name in names:
        columns[depths[name]] += groups_of(shelf, domains[name])
    # Systems stand in the order of what they feed, so that their arrows do not cross.
    order = [node.key for column in columns for group in column for node in group.nodes]
    first = {
        each.source: order.index(each.target) for each in reversed(flows) if each.target in order
    }
    systems = sorted(domains.get("", []), key=lambda key: first.get(key, 0))
    return [groups_of(shelf, systems), *columns]


def depth_of(name: str, reads: Mapping[str, set[str]], depths: dict[str, int]) -> int:
    """The longest way to *name*; where domains read each other, the way back does not count."""
    if name not in depths:
        depths[name] = -1  # while it is looked at
        others = sorted(reads[name] - {name})
        depths[name] = 1 + max((depth_of(each, reads, depths) for each in others), default=-1)
    return depths[name]


def groups_of(shelf: Shelf, keys: Sequence[str]) -> list[Group]:
    """The groups of the domains of *keys*."""
    return [
        Group(
            key=f"domain:{name}",
            label=name or "operational systems",
            nodes=[node_of(each, shelf) for each in ids],
            href=page_of(name),
        )
        for name, ids in domains_of(shelf, keys).items()
    ]


def page_of(domain: str) -> str | None:
    """The picture of a domain."""
    return f"/map?domain={quote(domain, safe='', errors='replace')}" if domain else None


def summary(shelf: Shelf, key: str) -> dict[str, object]:
    """A product in short."""
    entry = shelf.entries[key]
    return {
        "id": key,
        "name": entry.product.name,
        "rung": rung_of(entry),
        "state": entry.observed.state if entry.observed else None,
        "ports": [each.name for each in entry.product.outputs],
    }
