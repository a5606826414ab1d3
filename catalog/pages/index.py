"""The words of a shelf, and where each stands: what a search looks in.

Made once a shelf. Not here: how a question is matched and ranked (`search`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from catalog.pages.texts import one_line
from catalog.shelf import Entry, Shelf
from mesh.contract.model import Contract
from mesh.contract.project import Project

__all__ = ["Index", "Place", "fold", "make_index", "words_of"]

WORD = re.compile(r"[^\W_]+")
LONGEST_WORD = 60
NAMES = ("product", "port", "identifier", "field")
# By what a word weighs more: the name of a thing before what is said about it.
WEIGHTS: Mapping[str, float] = {
    "product": 10.0,
    "port": 7.0,
    "identifier": 6.0,
    "relation": 5.0,
    "field": 4.0,
    "owner": 4.0,
    "domain": 3.0,
    "about the product": 2.0,
    "about the port": 1.5,
    "about the identifier": 1.0,
    "about the field": 1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A text of a product: what kind of text, and of what (`field phone_number of port calls`)."""

    kind: str
    label: str
    text: str
    anchor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """*postings* has, for each word, the best place of each product that has the word."""

    products: Sequence[str]
    places: Sequence[Place]
    postings: Mapping[str, Mapping[int, tuple[float, int]]]
    vocabulary: Sequence[str] = field(repr=False)


def make_index(shelf: Shelf) -> Index:
    """Read every text of *shelf*."""
    products = sorted(shelf.entries)
    places: list[Place] = []
    postings: dict[str, dict[int, tuple[float, int]]] = defaultdict(dict)
    for number, product_id in enumerate(products):
        for place in places_of(shelf.entries[product_id], shelf.project):
            places.append(place)
            words = words_of(place.text)
            # A name that is nothing but the word that is asked for is the better hit.
            weight = WEIGHTS[place.kind] * (1.0 + 0.5 / max(len(words), 1))
            for word in [*words, *joined(place)]:
                found = postings[word]
                if number not in found or found[number][0] < weight:
                    found[number] = (weight, len(places) - 1)
    return Index(
        products=products, places=places, postings=dict(postings), vocabulary=list(postings)
    )


def places_of(entry: Entry, project: Project) -> Iterator[Place]:
    """Every text of one product."""
    product = entry.product
    yield Place(kind="product", label="name", text=f"{product.id} {product.name}")
    yield Place(kind="domain", label="domain", text=product.domain)
    for name in (product.owner, *project.owners_of(product.id)):
        yield Place(kind="owner", label="owner", text=name, anchor="owner")
    yield Place(kind="about the product", label="what for", text=product.description)
    for port in product.outputs:
        yield from places_of_port(port.name, port.contract, project)


def places_of_port(name: str, contract: Contract, project: Project) -> Iterator[Place]:
    """Every text of one output port."""
    anchor, label = f"port-{name}", f"port {name}"
    yield Place(kind="port", label="port", text=name, anchor=anchor)
    text = one_line(contract.description)
    yield Place(kind="about the port", label=label, text=text, anchor=anchor)
    if contract.relation is not None:
        text = f"{contract.relation.name}: {contract.relation.meaning}"
        yield Place(kind="relation", label=f"relation of {label}", text=text, anchor=anchor)
    for each in contract.fields:
        yield Place(kind="field", label=f"field of {label}", text=each.name, anchor=anchor)
        label_of_field = f"field {each.name} of {label}"
        text = each.description
        yield Place(kind="about the field", label=label_of_field, text=text, anchor=anchor)
        if each.identifier:
            label_of_field = f"identifier in {label_of_field}"
            known = project.identifiers.get(each.identifier)
            text = each.identifier
            yield Place(kind="identifier", label=label_of_field, text=text, anchor=anchor)
            text = known.description if known is not None else ""
            yield Place(kind="about the identifier", label=label_of_field, text=text, anchor=anchor)


def joined(place: Place) -> list[str]:
    """Names of several words as one: `keyring` for `key-ring`."""
    if place.kind not in NAMES:
        return []
    parts = [words_of(each) for each in place.text.split()]
    return ["".join(each)[:LONGEST_WORD] for each in parts if len(each) > 1]


def words_of(text: str) -> list[str]:
    """The words of *text* as they are compared: `phone_number` has two."""
    return [each[:LONGEST_WORD] for each in WORD.findall(fold(text))]


def fold(text: str) -> str:
    """*text* in small letters, without accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))
