"""One output port as data: its contract, its promises, its ways, who reads it.

Not here: the rest of the product (`product`), HTML (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from catalog.pages.models import has_records
from catalog.pages.sampling import Sample
from catalog.pages.texts import mappings, one_line, since
from catalog.pages.ways import ways_to
from catalog.shelf import Entry, Shelf
from mesh.contract.model import Contract, OutputPort, Product
from mesh.contract.sla import levels_of, sla_of
from mesh.ports.dictionary import describe_field

__all__ = ["latency_of", "port_document", "promises_of", "relation_document"]


def port_document(
    shelf: Shelf, entry: Entry, port: OutputPort, *, sample: Sample | None, address: str | None
) -> dict[str, object]:
    """An output port."""
    contract, observed, project = port.contract, entry.observed, shelf.project
    readers, people = project.readers_of(contract), project.people
    return {
        "name": port.name,
        "contract": contract.id,
        "version": contract.version,
        "status": contract.status,
        "kind": contract.kind,
        "grain": grain_of(contract),
        "purpose": one_line(contract.description),
        "usage": about(contract, "usage"),
        "limitations": about(contract, "limitations"),
        "personal_purpose": contract.purpose,
        "topic": contract.topic,
        "subject": contract.subject,
        "partitions": contract.partitions,
        "retention": None if contract.retention_ms is None else since(contract.retention_ms / 1000),
        "access": contract.access,
        "is_personal": contract.has_personal_fields,
        "rows": observed.rows.get(port.name) if observed is not None else None,
        "quarantined": observed.quarantine.get(port.name) if observed is not None else None,
        "promises": promises_of(contract),
        "fields": [describe_field(each, project.identifiers) for each in contract.fields],
        "rules": [
            {"name": each.name, "field": each.field, "expression": each.expression,
             "reason": each.reason}
            for each in sorted(contract.rules, key=lambda rule: (rule.field or "", rule.name))
        ],
        "relation": relation_document(contract) if contract.relation else None,
        "people": [each for each in readers if each in people],
        "readers": [each for each in readers if each not in people],
        "ways": [asdict(one) for one in ways_to(contract, port.name, project, address=address)],
        "sample": None if sample is None else asdict(sample),
        "has_records_of_runs": has_records(contract),
    }  # fmt: skip


def relation_document(contract: Contract) -> dict[str, object]:
    """The relation that a port states; its product is the authority."""
    relation = contract.relation
    return {
        "name": relation.name if relation else "",
        "from": relation.from_type if relation else "",
        "to": relation.to_type if relation else "",
        "cardinality": relation.cardinality if relation else "",
        "meaning": relation.meaning if relation else "",
        "authority": contract.product,
        "contract": contract.id,
        "port": contract.port,
    }


def grain_of(contract: Contract) -> str:
    """What one row is, in the contract's words."""
    schema = mappings(contract.document.get("schema"))
    return one_line(schema[0].get("description")) if schema else ""


def about(contract: Contract, name: str) -> str:
    """A part of the contract's description."""
    found = contract.document.get("description")
    return one_line(found.get(name)) if isinstance(found, Mapping) else ""


def promises_of(contract: Contract) -> Sequence[Mapping[str, object]]:
    """The service levels of the contract (ODCS `slaProperties`)."""
    return [
        {
            "property": one_line(each.get("property")),
            "value": one_line(each.get("value")),
            "unit": one_line(each.get("unit")),
            "description": one_line(each.get("description")),
        }
        for each in levels_of(contract)
    ]


def latency_of(product: Product) -> float | None:
    """The strictest latency that a product's ports promise, in seconds."""
    found = [sla_of(each.contract).latency_s for each in product.outputs]
    return min((each for each in found if each is not None), default=None)
