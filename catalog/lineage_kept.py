"""How what was seen goes to the catalogue's evidence topic, and comes back when it starts.

Not here: what is seen (`lineage`), the topic (`evidence_topic`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from catalog.evidence_topic import Take, write_evidence
from catalog.lineage import Book
from catalog.lineage_watch import Watch
from catalog.repeating import beside
from catalog.store import Store
from mesh.backbone.bus import Bus
from mesh.contract.observed import Sighting

__all__ = ["book_of", "lineage_takers", "watching"]

KIND = "lineage"
Log = Callable[[str], None]
# Where the door of a product is, if it has one.
Door = Callable[[str], str | None]


def book_of(store: Store, bus: Bus) -> Book:
    """The book over the products of *store*, which keeps on *bus* what is new."""
    return Book(lambda: store.project, partial(keep, bus))


def lineage_takers(book: Book) -> Mapping[str, Take]:
    """By whom what was seen comes back into *book*."""
    return {KIND: lambda _, observation: book.restore(observation["sighting"])}


def keep(bus: Bus, sighting: Sighting) -> None:
    """Write one sighting. Raises a `BackboneError` where Kafka does not take it."""
    content = {**asdict(sighting), "at": sighting.at.isoformat()}
    observation = {"kind": KIND, "sighting": content}
    write_evidence(bus, sighting.target, sighting.at, observation)


@contextmanager
def watching(book: Book, store: Store, door: Door, log: Log) -> Iterator[None]:
    """Ask the products of *store* at their doors, for the time of a block."""
    stop = threading.Event()

    def doors() -> dict[str, str]:
        found = {id_: door(id_) for id_ in store.products()}
        return {id_: address.rstrip("/") for id_, address in found.items() if address}

    with beside(partial(Watch(book, doors, log).run, stop), stop):
        yield
