"""The page of one product as data: what it shows is what its JSON says.

For consumers: the promise, samples, how to get access. For developers: contracts, the ways to
the rows, lineage. For the owner: rung, evidence, what was observed. Not here: HTML (templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from catalog.pages.lineage import lineage_document
from catalog.pages.ports import port_document, relation_document
from catalog.pages.rungs import MEANINGS, number_of
from catalog.pages.sampling import Sample
from catalog.pages.texts import mapping, mappings, one_line, safe_link
from catalog.shelf import Entry, Observed, Shelf
from catalog.together import Used
from mesh.contract.ladder import RUNGS
from mesh.contract.model import InputPort, Product

__all__ = ["product_document", "product_row", "standing_document", "tests_document"]

MOST_HISTORY = 500
NOTHING: Mapping[str, Any] = MappingProxyType({})


def product_document(
    shelf: Shelf,
    entry: Entry,
    samples: Mapping[str, Sample],
    address: str | None,
    used: Used = NOTHING,
) -> dict[str, object]:
    """All that the catalogue knows of a product, whose door is at *address* if it is anywhere.

    *used* says which ports are asked together, and which marts read them.
    """
    product = entry.product
    return {
        **entry.record,
        **product_row(entry),
        "description": {
            name: one_line(mapping(product.document.get("description")).get(name))
            for name in ("purpose", "usage", "limitations")
        },
        "owners": list(shelf.project.owners_of(product.id)),
        "support": support_of(product),
        "standing": standing_document(entry),
        "observed": observed_document(entry.observed),
        "tests": tests_document(entry),
        "history": [observed_document(each) for each in entry.history[-MOST_HISTORY:]],
        "ports": [
            {
                **port_document(shelf, entry, port, sample=samples.get(port.name), address=address),
                "together": used.get("together", NOTHING).get(port.contract.id, []),
                "marts": used.get("marts", NOTHING).get(port.contract.id, []),
            }
            for port in product.outputs
        ],
        "inputs": [input_document(each) for each in product.inputs],
        "relations": [
            relation_document(port.contract) for port in product.outputs if port.contract.relation
        ],
        "lineage": lineage_document(shelf, product),
    }  # fmt: skip


def input_document(port: InputPort) -> Mapping[str, object]:
    """One input port, and how long it keeps rows."""
    return {
        "name": port.name,
        "contract": port.contract_id or None,
        "system": port.system,
        "family": port.family,
        "keep": port.keep,
    }


def product_row(entry: Entry) -> dict[str, object]:
    """A product in a listing."""
    product, standing = entry.product, entry.standing
    return {
        # The descriptor itself is for who asks for this product.
        **{name: value for name, value in entry.record.items() if name != "descriptor"},
        "id": product.id,
        "name": product.name,
        "domain": product.domain,
        "owner": product.owner,
        "version": product.version,
        "status": one_line(product.document.get("status")),
        "rung": None if standing is None else standing.rung,
        "state": None if entry.observed is None else entry.observed.state,
        "count_ports": len(product.outputs),
        "purpose": product.description,
    }


def standing_document(entry: Entry) -> dict[str, object] | None:
    """The rung with its evidence, in the order of the rungs."""
    standing = entry.standing
    if standing is None:
        return None
    reached = number_of(standing.rung)
    return {
        "rung": standing.rung,
        "number": reached,
        "meaning": MEANINGS[standing.rung],
        "next_step": standing.next_step,
        "rungs": [
            {
                "name": name,
                "meaning": MEANINGS[name],
                "is_reached": number <= reached,
                "evidence": [
                    {"what": each.what, "is_met": each.is_met, "seen": each.seen,
                     "needed": each.needed}
                    for each in standing.evidence
                    if each.rung == name
                ],
            }
            for number, name in enumerate(RUNGS, start=1)
        ],
    }  # fmt: skip


def tests_document(entry: Entry) -> list[dict[str, object]]:
    """The tests of its contracts on its real data, the newest first."""
    return [
        {"port": each.port, "at": instant(each.at), "rows": each.rows, "broken": dict(each.broken)}
        for each in entry.tests
    ]


def observed_document(observed: Observed | None) -> dict[str, object] | None:
    """One observation, its instants as text."""
    if observed is None:
        return None
    return {
        "observed_at": instant(observed.observed_at),
        "state": observed.state,
        "reason": observed.reason,
        "is_reached": observed.is_reached,
        "lag": observed.lag,
        "freshness_s": observed.freshness_s,
        "last_arrival_at": observed.last_arrival_at and instant(observed.last_arrival_at),
        "rows": dict(observed.rows),
        "quarantine": dict(observed.quarantine),
        "count_aside": observed.count_aside,
        "address": observed.address,
    }


def instant(value: datetime) -> str:
    """An instant in ISO 8601, to the second."""
    return value.isoformat(timespec="seconds")


def support_of(product: Product) -> Sequence[Mapping[str, object]]:
    """The channels of the descriptor; a link only where it leads to no script."""
    return [
        {
            "channel": one_line(each.get("channel")),
            "tool": one_line(each.get("tool")),
            "url": one_line(each.get("url")),
            "link": safe_link(each.get("url")),
        }
        for each in mappings(product.document.get("support"))
    ]
