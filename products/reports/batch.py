"""A run of reports: what the source of each report has delivered becomes true, all at once.

Not here: where a report comes from, and who lays its rows there (`mesh migrate publish`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.errors import WrongUse
from mesh.product.batch import Batch
from mesh.product.days import publish_days

__all__ = ["run"]


def run(batch: Batch) -> Mapping[str, object]:
    """Publish every report, or the option `report` alone; announce it on `published-days`."""
    known = [each.name for each in batch.product.outputs if not each.contract.is_streamed]
    report = batch.options.get("report")
    if report not in (None, *known):
        raise WrongUse(f"there is no report {report!r}: there are {', '.join(known)}")
    found: dict[str, Any] = {
        each: publish_days(batch, each, announced_on="published-days", at_once=True)
        for each in ([report] if report else known)
    }
    said = [
        f"{name}: {len(done['published'])} days published,"
        f" {sum(sum(day['quarantined'].values()) for day in done['published'])} rows set aside"
        for name, done in found.items()
    ]
    return {"reports": found, "said": said}
