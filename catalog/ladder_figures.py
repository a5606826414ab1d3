"""What was observed of every product, in figures: one series a product or a port.

As many series as accepted products and ports ask for, and labels of known words alone. Not here:
the other figures of the catalogue (`figures`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from catalog.pages.rungs import number_of, rung_of
from catalog.shelf import Entry, Shelf
from mesh.contract.ladder import Trial

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

__all__ = ["ladder_figures"]

Value = float | None


def ladder_figures(
    shelves: Callable[[], Shelf], now: Callable[[], datetime]
) -> Iterator[GaugeMetricFamily]:
    """What a collector of Prometheus yields."""
    entries = [each for _, each in sorted(shelves().entries.items())]
    at = now()
    for name, text, value in OF_PRODUCTS:
        yield family(name, text, ("product",), [((e.product.id,), value(e)) for e in entries])
    rows = [
        ((entry.product.id, port.name), entry.observed.rows.get(port.name))
        for entry in entries
        for port in entry.product.outputs
        if entry.observed is not None
    ]
    yield family("mesh_observed_rows", "Rows of a port.", ("product", "port"), rows)
    tests = [(entry.product.id, each) for entry in entries for each in newest_tests(entry)]
    for name, text, figure in OF_TESTS:
        found = [((product, each.port), figure(each, at)) for product, each in tests]
        yield family(name, text, ("product", "port"), found)


def family(
    name: str, text: str, labels: tuple[str, ...], values: Sequence[tuple[tuple[str, ...], Value]]
) -> GaugeMetricFamily:
    """One figure of each; what is not known is left out, not told as 0."""
    from prometheus_client.core import GaugeMetricFamily

    found = GaugeMetricFamily(name, text, labels=labels)
    for each, value in values:
        if value is not None:
            found.add_metric(each, float(value))
    return found


def up(entry: Entry) -> Value:
    """Whether it runs."""
    return None if entry.observed is None else entry.observed.state == "running"


def lag(entry: Entry) -> Value:
    """What waits."""
    return None if entry.observed is None else entry.observed.lag


def freshness(entry: Entry) -> Value:
    """How long the newest message took."""
    return None if entry.observed is None else entry.observed.freshness_s


def arrival(entry: Entry) -> Value:
    """When a message came last."""
    at = None if entry.observed is None else entry.observed.last_arrival_at
    return None if at is None else at.timestamp()


def looked(entry: Entry) -> Value:
    """When the catalogue looked last."""
    return None if entry.observed is None else entry.observed.observed_at.timestamp()


def newest_tests(entry: Entry) -> Collection[Trial]:
    """The last test of each port that there is."""
    ports = {each.name for each in entry.product.outputs}
    found: dict[str, Trial] = {}
    for each in entry.tests:  # the newest first
        if each.port in ports:
            found.setdefault(each.port, each)
    return found.values()


def aside(entry: Entry) -> Value:
    """What was set aside."""
    observed = entry.observed
    return None if observed is None or not observed.is_reached else observed.count_aside


OF_PRODUCTS: Sequence[tuple[str, str, Callable[[Entry], Value]]] = (
    (
        "mesh_ladder_rung",
        "The rung: 1 dump, 2 refreshed, 3 contracted, 4 live, 5 certified.",
        lambda entry: number_of(rung_of(entry)) or None,
    ),
    ("mesh_observed_up", "1 where the product was seen to run.", up),
    ("mesh_observed_timestamp_seconds", "When the catalogue looked last.", looked),
    ("mesh_observed_lag", "Messages not yet taken in.", lag),
    ("mesh_observed_freshness_seconds", "From the newest message to its row.", freshness),
    ("mesh_observed_last_arrival_timestamp_seconds", "When a message came last.", arrival),
    ("mesh_observed_quarantined", "Messages and rows that are set aside.", aside),
)
OF_TESTS: Sequence[tuple[str, str, Callable[[Trial, datetime], Value]]] = (
    (
        "mesh_observed_test_rows",
        "Rows that the last test of a contract judged.",
        lambda test, _: test.rows,
    ),
    (
        "mesh_observed_test_broken",
        "How often they broke a promise.",
        lambda test, _: sum(test.broken.values()),
    ),
    (
        "mesh_observed_test_age_seconds",
        "How long ago a contract was tested on real data, in seconds.",
        lambda test, now: (now - test.at).total_seconds(),
    ),
)
