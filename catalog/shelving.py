"""Makes the shelf of the store: what pages, lineage and evidence work on.

Made once for each change of the store. Not here: standings and observations, which others add.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from catalog.lineage import Book
from catalog.shelf import Entry, Shelf
from catalog.store import Store
from mesh.contract.lineage import declared_edges

__all__ = ["shelves_of"]


def shelves_of(store: Store, book: Book | None = None) -> Callable[[], Shelf]:
    """A function that gives the shelf of *store* as it is now, with the lineage of *book*."""
    lock = threading.Lock()
    made: list[tuple[tuple[int, int], Shelf]] = []

    def shelf() -> Shelf:
        with lock:
            generation = (store.generation, book.generation if book else 0)
            if not made or made[0][0] != generation:
                made[:] = [(generation, shelf_of(store, book))]
            return made[0][1]

    return shelf


def shelf_of(store: Store, book: Book | None = None) -> Shelf:
    """Every accepted product, and the edges that are declared, or were seen by *book*."""
    project = store.project
    return Shelf(
        project=project,
        entries={
            id_: Entry(product=each.accepted.product, record=each.as_document())
            for id_, each in store.products().items()
            if id_ in project.products
        },
        edges=declared_edges(project) if book is None else book.edges(),
    )
