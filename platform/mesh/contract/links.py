"""The one schema that all relation ports share: a row is a statement about a link.

A link joins two identifiers for a time. Whoever has the authority over a relation states a
link, and corrects it by a newer statement with the same link id. When a statement was made is
the time that the broker gave its message.

Not here: who may declare a relation (`policies`), and what follows from links (the key ring).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mesh.contract.field_type import Kind
from mesh.contract.model import Contract

__all__ = ["LINK_FIELDS", "accepted_relations", "link_faults", "name_of"]

# Name, type, whether every row has it. The first is the key.
LINK_FIELDS: tuple[tuple[str, Kind, bool], ...] = (
    ("statement_id", "string", True),
    ("link_id", "string", True),
    ("from_id", "string", True),
    ("to_id", "string", True),
    ("valid_from", "timestamp", False),
    ("valid_to", "timestamp", False),
    ("retracted", "boolean", True),
)


def link_faults(contract: Contract) -> Iterator[tuple[str, str]]:
    """Where the port of a relation is other than all of them must be: problem and remedy."""
    relation = contract.relation
    if relation is None:
        return
    wanted = [
        (name, kind, needed, int(n == 0)) for n, (name, kind, needed) in enumerate(LINK_FIELDS)
    ]
    found = [(f.name, f.type.kind, f.is_required, f.key_position) for f in contract.fields]
    for row in found:
        if row not in wanted:
            yield f"{row[0]} is not a field of a link, or not like this", "see docs/key-ring.md"
    for name in [row[0] for row in wanted if row[0] not in [f[0] for f in found]]:
        yield f"{name} is missing, a field of every link", "see docs/key-ring.md"
    held = {field.name: field.identifier for field in contract.fields}
    for end, type_ in (("from_id", relation.from_type), ("to_id", relation.to_type)):
        if held.get(end, type_) != type_:
            remedy = f"give {end} the customProperty `identifier` with `value: {type_}`"
            yield f"{end} is a {held[end] or 'text'}, the relation says {type_}", remedy
    if contract.kind != "event":
        yield "links are facts, not state", "write `portKind` with `value: event`"
    if contract.retention_ms is not None:
        yield "links are needed as long as they are true", "write `retention` with `value: forever`"
    if contract.partitions != 1:
        # Statements of one batch share their recorded time, so only a partition has an order.
        yield "two statements have no order across partitions", "write `partitions` with `value: 1`"


def accepted_relations(contracts: Sequence[Contract]) -> tuple[Contract, ...]:
    """Those of *contracts* that may feed a key ring: of the schema, and with one authority."""
    related = [each for each in contracts if each.relation is not None]
    authorities: dict[str, set[str]] = {}
    for each in related:
        authorities.setdefault(name_of(each), set()).add(each.product)
    return tuple(
        each
        for each in related
        if len(authorities[name_of(each)]) == 1 and not any(link_faults(each))
    )


def name_of(contract: Contract) -> str:
    """The relation of a port that has one."""
    return "" if contract.relation is None else contract.relation.name
