"""A product's figures in the text format of Prometheus, made of what its observability says.

Made anew for each answer, with no registry that lives on: the product's own figures are the truth.
The library is imported when it is first asked, since its import reads the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily, Metric

__all__ = ["figures"]


def figures(document: Mapping[str, Any]) -> tuple[bytes, str]:
    """The figures in *document* as text, and its media type."""
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(Document(document))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class Document:
    """What is collected: one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def collect(self) -> Iterator[Metric]:
        """Every figure that is known; what is not yet is left out, not told as 0."""
        document, product = self._document, str(self._document["product"])
        yield gauge("mesh_product_up", "1 where the product runs.", product, document["is_healthy"])
        paused = document["paused"] is not None
        yield gauge("mesh_product_paused", "1 where the product is paused.", product, paused)
        yield gauge("mesh_product_lag", "Messages not yet taken in.", product, document["lag"])
        if document["freshness_s"] is not None:
            text = "From the broker's stamp of the newest message to its row, in seconds."
            yield gauge("mesh_product_freshness_seconds", text, product, document["freshness_s"])
        if document["last_arrival_at"] is not None:
            at = datetime.fromisoformat(str(document["last_arrival_at"])).timestamp()
            text = "When a message came last."
            yield gauge("mesh_product_last_arrival_timestamp_seconds", text, product, at)
        yield self._states(product)
        yield self._rows(product)
        yield self._offsets(product)
        yield self._quarantine(product)

    def _states(self, product: str) -> Metric:
        found = gauges("mesh_product_state", "1 for the state it is in.", ("product", "state"))
        found.add_metric((product, str(self._document["state"])), 1)
        return found

    def _rows(self, product: str) -> Metric:
        found = gauges("mesh_port_rows", "Rows of a port.", ("product", "port"))
        for port, count in self._document["rows"].items():
            found.add_metric((product, port), count)
        return found

    def _offsets(self, product: str) -> Metric:
        names = ("product", "topic", "partition")
        text = "The next offset of an input."
        found = gauges("mesh_input_next_offset", text, names)
        for topic, partitions in self._document["offsets"].items():
            for partition, offset in partitions.items():
                found.add_metric((product, topic, str(partition)), offset)
        return found

    def _quarantine(self, product: str) -> Metric:
        names = ("product", "port", "rule", "field")
        text = "Messages and rows that were set aside since the storage was made."
        from prometheus_client.core import CounterMetricFamily

        found = CounterMetricFamily("mesh_quarantined", text, labels=names)
        for each in self._document["quarantine"]:
            found.add_metric((product, each["port"], each["rule"], each["field"]), each["count"])
        return found


def gauge(name: str, text: str, product: str, value: float) -> Metric:
    """One figure of the product."""
    found = gauges(name, text, ("product",))
    found.add_metric((product,), float(value))
    return found


def gauges(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    """A figure of which there may be several, told apart by *labels*."""
    from prometheus_client.core import GaugeMetricFamily

    return GaugeMetricFamily(name, text, labels=labels)
