"""Makes the shelf of the store: what pages, lineage and evidence work on.

Made once for each change of the store, or of who may read; what is observed changes often, and is
laid over it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import overload

from catalog.clock import Clock
from catalog.evidence import EvidenceBook
from catalog.lineage import Book
from catalog.shelf import Entry, Observed, Shelf
from catalog.store import Store
from mesh.contract.lineage import declared_edges

__all__ = ["Shelves", "observed_shelves", "shelves_of"]

# So long a shelf may say what was true when it was made, if nothing has changed since.
LASTS_S = 15.0
Shelves = Callable[[], Shelf]
Decided = Mapping[tuple[str, str], bool]


def shelves_of(
    store: Store, book: Book | None = None, decided: Callable[[], Decided] = dict
) -> Shelves:
    """A function that gives the shelf of *store* as it is now, with the lineage of *book*.

    *decided* says what owners have decided on who may read.
    """
    lock = threading.Lock()
    made: list[tuple[tuple[int, int, Decided], Shelf]] = []

    def shelf() -> Shelf:
        with lock:
            generation = (store.generation, book.generation if book else 0, decided())
            if not made or made[0][0] != generation:
                found = shelf_of(store, book)
                project = replace(found.project, decided=generation[2])
                made[:] = [(generation, replace(found, project=project))]
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


def observed_shelves(shelves: Shelves, evidence: EvidenceBook, clock: Clock) -> Shelves:
    """The same shelves, with what was observed of each product and where that puts it."""
    lock = threading.Lock()
    made: list[tuple[Shelf, int, float, Shelf]] = []

    def shelf() -> Shelf:
        with lock:
            base, generation, now = shelves(), evidence.generation, time.monotonic()
            if made and made[0][:2] == (base, generation) and now - made[0][2] < LASTS_S:
                return made[0][3]
            entries = {
                id_: observed_entry(each, evidence, clock) for id_, each in base.entries.items()
            }
            made[:] = [(base, generation, now, replace(base, entries=entries))]
            return made[0][3]

    return shelf


def observed_entry(entry: Entry, evidence: EvidenceBook, clock: Clock) -> Entry:
    """*entry* with what was observed."""
    id_ = entry.product.id
    return replace(
        entry,
        standing=evidence.standing(entry.product, clock.now()),
        observed=evidence.seen(id_).observed,
        history=Later(lambda: evidence.history(id_)),
        tests=evidence.tests(id_),
    )


class Later(Sequence[Observed]):
    """A history that is made when it is first looked at: most are never."""

    def __init__(self, make: Callable[[], Sequence[Observed]]) -> None:
        self._make = make
        self._made: Sequence[Observed] | None = None

    @property
    def _whole(self) -> Sequence[Observed]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __len__(self) -> int:
        return len(self._whole)

    def __iter__(self) -> Iterator[Observed]:
        return iter(self._whole)

    @overload
    def __getitem__(self, index: int) -> Observed: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Observed]: ...

    def __getitem__(self, index: int | slice) -> Observed | Sequence[Observed]:
        return self._whole[index]
