"""What a running product says of itself. Not here: who asks, and what is done (`runtime`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.product.position import Offsets

__all__ = ["Progress"]


@dataclass(slots=True)
class Progress:
    """State, lag and freshness of a runtime, which writes it; others only read."""

    state: str = "starting"
    reason: str = ""
    lag: int = 0
    last_arrival_at: datetime | None = None
    freshness_s: float | None = None
    offsets: Offsets = field(default_factory=dict)

    def arrived(self, newest: datetime, offsets: Offsets) -> None:
        """Note that what was stamped *newest* is in, and all before *offsets*."""
        now = datetime.now(UTC)
        self.last_arrival_at = now
        self.freshness_s = max(0.0, (now - newest).total_seconds())
        self.offsets = offsets
