"""The time as the catalogue has it: that of the machine, and for a drill one that moves ahead.

A moved clock is moved until the process ends. Not here: who may move it (`ladder_routes`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """Says what time it is; *is_movable* where a drill may move it."""

    def __init__(self, *, is_movable: bool = False) -> None:
        self.is_movable = is_movable
        self.ahead = timedelta()

    @property
    def is_moved(self) -> bool:
        """Whether it says another time than the machine."""
        return bool(self.ahead)

    def now(self) -> datetime:
        """The time now."""
        return datetime.now(UTC) + self.ahead

    def move(self, by: timedelta) -> None:
        """Move it ahead; it never goes back."""
        self.ahead += by
