"""Keeps the index of the products that were searched last; changed products are read anew.

What is observed of products changes often, and is in no index. Not here: what an index holds
(`index`), how it is searched (`search`).
"""

from __future__ import annotations

import gc
from threading import Lock

from catalog.pages.index import Index, make_index
from catalog.pages.search import Found, search
from catalog.shelf import Shelf

__all__ = ["Searcher"]


class Searcher:
    """Searches whichever shelf is at hand."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[Shelf, Index] | None = None

    def search(self, shelf: Shelf, question: str) -> Found:
        """What *shelf* has of *question*."""
        return search(self.index_of(shelf), question)

    def index_of(self, shelf: Shelf) -> Index:
        """The index of *shelf*, made where other products were searched before."""
        with self._lock:
            if self._kept is None or not has_same_texts(self._kept[0], shelf):
                self._kept = (shelf, make_index(shelf))
                # Hundreds of thousands of objects that stay: looking through them again and
                # again takes the collector longer than a page may take. They hold no cycles.
                gc.collect()
                gc.freeze()
            return self._kept[1]


def has_same_texts(one: Shelf, other: Shelf) -> bool:
    """Whether nothing that an index is made of differs; a product that changes is another one."""
    return (
        one.entries.keys() == other.entries.keys()
        and all(one.entries[name].product is each.product for name, each in other.entries.items())
        and one.project.identifiers == other.project.identifiers
        and one.project.people == other.project.people
    )
