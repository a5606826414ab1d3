"""A run of network-usage: each day for which something was delivered is published anew."""

from __future__ import annotations

from collections.abc import Mapping

from mesh.product.batch import Batch
from mesh.product.days import publish_days

__all__ = ["run"]


def run(batch: Batch) -> Mapping[str, object]:
    """Publish the days of the port `usage`, and announce each on `published-days`."""
    return publish_days(batch, "usage", announced_on="published-days")
