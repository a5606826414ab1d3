"""World time: microseconds since 1970 in UTC, and the first day and the last of the world."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["BEGIN", "DAY", "END", "FOREVER", "HOUR", "MINUTE", "SECOND", "instant", "micros"]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

FOREVER = 2**62
"""The end of what has no end yet."""


def micros(at: datetime) -> int:
    """Return the microseconds from 1970 to *at*."""
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def instant(at: int) -> datetime:
    """Return the UTC instant *at* microseconds after 1970."""
    whole, rest = divmod(at, SECOND)
    return datetime.fromtimestamp(whole, tz=UTC).replace(microsecond=rest)


BEGIN = micros(datetime(2026, 1, 1, tzinfo=UTC))
END = BEGIN + 10_000 * DAY
"""Ten million calls after `BEGIN`, at a thousand a day. Nothing changes afterwards."""
