"""The SQL access point's figures in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mesh.sql.desk import Desk

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["figures"]


def figures(desk: Desk, status: Mapping[str, Any]) -> tuple[bytes, str]:
    """The figures as text, and its media type."""
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(Figures(desk, status))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class Figures:
    """What is collected, as it is now."""

    def __init__(self, desk: Desk, status: Mapping[str, Any]) -> None:
        self._desk, self._status = desk, status

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        desk = self._desk
        queries = CounterMetricFamily("mesh_sql_queries", "Queries by outcome.", labels=["outcome"])
        for each in ("answered", "refused", "broken", "failed"):
            queries.add_metric([each], desk.counts[each])
        yield queries
        cache = CounterMetricFamily("mesh_sql_cache", "Looks into the cache.", labels=["result"])
        for each in ("hit", "miss"):
            cache.add_metric([each], desk.counts[each])
        yield cache
        text = "The ages of the answers that the cache gave, together."
        age = desk.counts["age_milliseconds"] / 1000
        yield CounterMetricFamily("mesh_sql_cache_age_seconds", text, age)
        text = "Time from question to whole answer, of those that a worker made."
        yield CounterMetricFamily("mesh_sql_seconds", text, desk.counts["milliseconds"] / 1000)
        yield GaugeMetricFamily("mesh_sql_running", "Queries that run.", desk.pool.running)
        yield GaugeMetricFamily("mesh_sql_waiting", "Queries that wait.", desk.pool.waiting)
        yield GaugeMetricFamily("mesh_sql_lag", "Messages not yet in a table.", self._status["lag"])
