"""The evidence of the ladder is kept on the catalogue's evidence topic, and comes back at start.

Beside the lineage's, told apart by `kind`. Not here: what is evidence (`evidence`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from catalog.bus import Bus
from catalog.evidence import EvidenceBook
from catalog.evidence_records import KINDS
from mesh.contract.catalogue import EVIDENCE_TOPIC

__all__ = ["Write", "restored", "writer"]

Log = Callable[[str], None]
# Writes a record of a product.
Write = Callable[[str, Mapping[str, Any]], None]


def writer(bus: Bus) -> Write:
    """What writes to *bus*, and raises a `BackboneError` where Kafka does not take it."""

    def write(product: str, record: Mapping[str, Any]) -> None:
        content = {
            "product": product,
            "observed_at": datetime.fromisoformat(record["at"]),
            "observation": json.dumps(record, separators=(",", ":")),
        }
        bus.write(EVIDENCE_TOPIC, product, content)

    return write


def restored(bus: Bus, log: Log = lambda _: None) -> EvidenceBook:
    """The book with all that was written as long as evidence is kept."""
    book = EvidenceBook()
    for key, record, _, _ in bus.whole(EVIDENCE_TOPIC):
        if record is None:
            book.forget(key)
            continue
        try:
            observation = json.loads(record["observation"])
            if observation.get("kind") in KINDS:
                book.restore(record["product"], observation)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log(f"evidence of {record.get('product')} cannot be read any more: {error}")
    return book
