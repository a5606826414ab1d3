"""Which messages Kafka may have removed from a topic by itself, by the topic's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Policy"]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a topic keeps. *retention_ms* is None where nothing is deleted by age.

    Tombstones are kept for *tombstones_ms*, but those that an erasure found at *cleaned_ms*.
    """

    is_compacted: bool
    retention_ms: int | None
    tombstones_ms: int
    is_bounded_in_bytes: bool = False
    cleaned_ms: int = 0

    @classmethod
    def of(cls, config: Mapping[str, str], *, cleaned_ms: int = 0) -> Policy:
        """The policy in a topic's settings."""
        words = config.get("cleanup.policy", "delete").split(",")
        retention = int(config.get("retention.ms", "-1"))
        deletes = "delete" in words
        return cls(
            is_compacted="compact" in words,
            retention_ms=retention if deletes and retention >= 0 else None,
            tombstones_ms=int(config.get("delete.retention.ms", str(DAY_MS))),
            is_bounded_in_bytes=deletes and int(config.get("retention.bytes", "-1")) >= 0,
            cleaned_ms=cleaned_ms,
        )

    def has_aged(self, timestamp_ms: int, now_ms: int, *, is_before_start: bool) -> bool:
        """Whether a message of that time may be gone, by age or, before the start, by size."""
        if self.is_bounded_in_bytes and is_before_start:
            return True
        return self.retention_ms is not None and now_ms - timestamp_ms >= self.retention_ms

    def may_drop_tombstone(self, timestamp_ms: int, now_ms: int) -> bool:
        """Whether a tombstone of that time may be gone."""
        is_old = now_ms - timestamp_ms >= self.tombstones_ms or timestamp_ms <= self.cleaned_ms
        return self.is_compacted and is_old
