"""The pages beside products as data: home, identifiers, relations, owners, policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from catalog.pages.ports import relation_document
from catalog.pages.product import product_row
from catalog.pages.rungs import MEANINGS, rung_of
from catalog.pages.search import Found
from catalog.shelf import Shelf
from mesh.contract.identifiers import Identifier
from mesh.contract.ladder import RUNGS
from mesh.contract.model import Contract, Field
from mesh.contract.policies import rulebook

__all__ = [
    "found_document",
    "home_document",
    "identifier_document",
    "identifiers_document",
    "owner_document",
    "owners_document",
    "policies_document",
    "products_document",
    "relations_document",
]


def home_document(shelf: Shelf) -> dict[str, object]:
    """What there is, in figures and by domain."""
    products = [each.product for each in shelf.entries.values()]
    rungs = Counter(rung_of(each) for each in shelf.entries.values())
    domains = Counter(each.domain for each in products)
    return {
        "counts": {
            "products": len(products),
            "ports": sum(len(each.outputs) for each in products),
            "domains": len(domains),
            "identifiers": len(shelf.project.identifiers),
            "relations": len(shelf.project.relations),
        },
        "rungs": [
            {"name": each, "meaning": MEANINGS[each], "count": rungs[each]} for each in RUNGS
        ],
        "count_unknown": rungs[None],
        "domains": [{"name": name, "count": count} for name, count in sorted(domains.items())],
    }


def found_document(shelf: Shelf, question: str, found: Found) -> dict[str, object]:
    """The results of a search, with why each is there."""
    return {
        "question": question,
        "count": found.count,
        "is_partial": found.is_partial,
        "results": [
            {
                "product": product_row(shelf.entries[each.product]),
                "score": each.score,
                "reasons": [
                    {**asdict(reason), "text": "".join(text for text, _ in reason.pieces)}
                    for reason in each.reasons
                ],
            }
            for each in found.results
        ],
    }


def products_document(shelf: Shelf) -> dict[str, object]:
    """Every product, by domain and name."""
    entries = sorted(shelf.entries.values(), key=lambda e: (e.product.domain, e.product.id))
    return {"products": [product_row(each) for each in entries]}


def holders(shelf: Shelf, name: str) -> Iterator[tuple[Contract, Field]]:
    """Each field of an output port that holds the identifier."""
    for entry in shelf.entries.values():
        for port in entry.product.outputs:
            yield from ((port.contract, f) for f in port.contract.fields if f.identifier == name)


def identifiers_document(shelf: Shelf) -> dict[str, object]:
    """The company's list, with how many hold each."""
    counts = Counter(
        identifier
        for entry in shelf.entries.values()
        for identifier in {
            f.identifier for port in entry.product.outputs for f in port.contract.fields
        }
    )
    return {
        "identifiers": [
            {**asdict(each), "count_products": counts[name]}
            for name, each in sorted(shelf.project.identifiers.items())
        ]
    }


def identifier_document(shelf: Shelf, identifier: Identifier) -> dict[str, object]:
    """One identifier: where it is held, and to which others relations lead."""
    relations = relations_of(shelf)
    return {
        **asdict(identifier),
        "held_by": [
            {"product": contract.product, "port": contract.port, "contract": contract.id,
             "field": field.name, "description": field.description}
            for contract, field in holders(shelf, identifier.name)
        ],
        "relations": [
            each for each in relations if identifier.name in (each["from"], each["to"])
        ],
    }  # fmt: skip


def relations_of(shelf: Shelf) -> list[dict[str, object]]:
    """The accepted relations, by name."""
    found = [relation_document(each) for each in shelf.project.relations]
    return sorted(found, key=lambda each: str(each["name"]))


def relations_document(shelf: Shelf) -> dict[str, object]:
    """The relations of the mesh, each with its one authority."""
    return {"relations": relations_of(shelf)}


def owners_of(shelf: Shelf) -> Mapping[str, list[str]]:
    """The products by their owner's address."""
    found: dict[str, list[str]] = {}
    for key, entry in sorted(shelf.entries.items()):
        found.setdefault(entry.product.owner, []).append(key)
    return dict(sorted(found.items()))


def owners_document(shelf: Shelf) -> dict[str, object]:
    """Who owns what."""
    return {
        "owners": [
            {"owner": owner, "products": [product_row(shelf.entries[each]) for each in ids]}
            for owner, ids in owners_of(shelf).items()
        ]
    }


def owner_document(shelf: Shelf, owner: str) -> dict[str, object] | None:
    """One owner; None where nobody is called so."""
    ids = owners_of(shelf).get(owner)
    if ids is None:
        return None
    people = sorted({name for each in ids for name in shelf.project.owners_of(each)})
    rows = [product_row(shelf.entries[each]) for each in ids]
    return {"owner": owner, "people": people, "products": rows}


def policies_document(shelf: Shelf) -> dict[str, object]:
    """The rules that every product keeps, and those of domains."""
    return {"policies": [each.as_document() for each in rulebook(shelf.project.root)]}
