"""The catalogue's figures in the text format of Prometheus.

Made anew for each answer. Not here: the figures of products, which each has at its own door.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from catalog.store import Store

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["figures"]


def figures(store: Store) -> tuple[bytes, str]:
    """The figures of *store* as text, and its media type."""
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(Figures(store))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class Figures:
    """What is collected of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Products by domain, and last attempts by how they ended."""
        from prometheus_client.core import GaugeMetricFamily

        domains = Counter(each.accepted.product.domain for each in self._store.products().values())
        products = GaugeMetricFamily(
            "mesh_catalogue_products", "Accepted products.", labels=["domain"]
        )
        for domain, count in sorted(domains.items()):
            products.add_metric([domain], count)
        yield products
        states = Counter(each.state for each, _ in self._store.verdicts().values())
        verdicts = GaugeMetricFamily(
            "mesh_catalogue_verdicts", "Last attempts, by how they ended.", labels=["state"]
        )
        for state, count in sorted(states.items()):
            verdicts.add_metric([state], count)
        yield verdicts
        for collect in self._store.collectors:
            yield from collect()
