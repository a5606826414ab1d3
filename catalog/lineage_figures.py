"""Lineage in figures: edges by kind, and where declared and observed differ, by reader.

Not here: the other figures of the catalogue (`figures`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from catalog.lineage import Book

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["lineage_figures"]


def lineage_figures(book: Book) -> Iterator[GaugeMetricFamily]:
    """What a collector of Prometheus yields."""
    from prometheus_client.core import GaugeMetricFamily

    edges = GaugeMetricFamily(
        "mesh_lineage_edges", "Who reads which port, by how it is known.", labels=["kind"]
    )
    kinds = Counter(each.kind for each in book.edges())
    for kind in ("declared", "observed", "both"):
        edges.add_metric([kind], kinds[kind])
    yield edges
    found = GaugeMetricFamily(
        "mesh_lineage_differences",
        "Edges that are declared and were not observed, or the reverse.",
        labels=["reader", "what"],
    )
    counts = Counter((each.target, each.what) for each in book.differences())
    for (reader, what), count in sorted(counts.items()):
        found.add_metric([reader, what], count)
    yield found
