"""What a running product says of itself. Not here: who asks, and what is done (`runtime`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.errors import NotGranted, Refused
from mesh.product.position import Offsets
from mesh.product.ran import Ran

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
    ran: Ran = field(default_factory=Ran)
    log: Callable[[str], None] = field(default=lambda _: None, repr=False)

    def report(self, state: str, reason: str) -> None:
        """Take over *state* and its *reason*; logged where they are new."""
        if (state, reason) != (self.state, self.reason):
            self.log(f"{state}: {reason}" if reason else state)
        self.state, self.reason = state, reason

    def refused(self, error: Refused) -> None:
        """Say that a grant is waited for. Raises *error* where none would help."""
        if not isinstance(error, NotGranted):
            raise error
        self.report("ungranted", f"{error}; the port's owner may grant it (`mesh access list`)")

    def tell(self, lag: int, news: str) -> None:
        """Take note of what still waits; *news*, if there are any, are logged."""
        self.lag = lag
        if news:
            self.log(news)

    def arrived(self, newest: datetime, offsets: Offsets) -> None:
        """Take note of a batch, whose *newest* message the broker stamped then."""
        now = datetime.now(UTC)
        self.last_arrival_at = now
        self.freshness_s = max(0.0, (now - newest).total_seconds())
        self.offsets = offsets
