"""What a product's page has beside its JSON: its pictures.

Not here: their places (`charts`, `lineage`), their form (templates).
"""

from __future__ import annotations

from collections.abc import Mapping

from catalog.pages.charts import freshness_chart, quality_chart
from catalog.pages.lineage import lineage_picture
from catalog.pages.ports import latency_of
from catalog.shelf import Entry, Shelf

__all__ = ["product_extras"]


def product_extras(shelf: Shelf, entry: Entry) -> Mapping[str, object]:
    """Lineage, freshness and quality as pictures."""
    history = [*entry.history] or ([entry.observed] if entry.observed else [])
    return {
        "picture": lineage_picture(shelf, entry.product),
        "freshness": freshness_chart(history, latency_of(entry.product)),
        "quality": quality_chart(history),
    }
