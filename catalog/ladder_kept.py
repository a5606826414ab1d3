"""How the evidence of the ladder goes to the catalogue's evidence topic, and comes back.

Not here: what is evidence (`evidence`), the topic (`evidence_topic`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from catalog.evidence import EvidenceBook
from catalog.evidence_records import KINDS
from catalog.evidence_topic import Take, write_evidence
from mesh.backbone.bus import Bus

__all__ = ["Write", "evidence_takers", "writer"]

# Writes a record of a product.
Write = Callable[[str, Mapping[str, Any]], None]


def writer(bus: Bus) -> Write:
    """What writes to *bus*, and raises a `BackboneError` where Kafka does not take it."""

    def write(product: str, record: Mapping[str, Any]) -> None:
        write_evidence(bus, product, datetime.fromisoformat(record["at"]), record)

    return write


def evidence_takers(book: EvidenceBook) -> Mapping[str, Take]:
    """By whom each kind of record comes back into *book*."""
    return dict.fromkeys(KINDS, book.restore)
