"""What was seen is kept on the catalogue's evidence topic, and comes back when it starts.

Beside other evidence, told apart by `kind`. Not here: what is seen (`lineage`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from catalog.bus import Bus
from catalog.lineage import Book
from catalog.lineage_watch import Watch
from catalog.store import Store
from mesh.contract.catalogue import EVIDENCE_TOPIC
from mesh.contract.observed import Sighting

__all__ = ["book_of", "watching"]

KIND = "lineage"
Log = Callable[[str], None]
# Where the door of a product is, if it has one.
Door = Callable[[str], str | None]


def book_of(store: Store, bus: Bus, log: Log = lambda _: None) -> Book:
    """The book over the products of *store*, with all that was seen while evidence is kept."""
    book = Book(lambda: store.project, partial(keep, bus))
    for _, record, _, _ in bus.whole(EVIDENCE_TOPIC):
        if record is None:
            continue
        try:
            observation = json.loads(record["observation"])
            if observation.get("kind") == KIND:
                book.restore(observation["sighting"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log(f"evidence of {record.get('product')} cannot be read any more: {error}")
    return book


def keep(bus: Bus, sighting: Sighting) -> None:
    """Write one sighting. Raises a `BackboneError` where Kafka does not take it."""
    content = {**asdict(sighting), "at": sighting.at.isoformat()}
    observation = json.dumps({"kind": KIND, "sighting": content})
    record = {
        "product": sighting.target,
        "observed_at": sighting.at,
        "observation": observation,
    }
    bus.write(EVIDENCE_TOPIC, sighting.target, record)


@contextmanager
def watching(book: Book, store: Store, door: Door, log: Log) -> Iterator[None]:
    """Ask the products of *store* at their doors, for the time of a block."""
    stop = threading.Event()

    def doors() -> dict[str, str]:
        found = {id_: door(id_) for id_ in store.products()}
        return {id_: address.rstrip("/") for id_, address in found.items() if address}

    thread = threading.Thread(target=Watch(book, doors, log).run, args=(stop,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
