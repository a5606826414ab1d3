"""Which messages Kafka may have removed from a topic by itself, by the topic's own settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Policy"]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a topic keeps. *retention_ms* is None where nothing is deleted by age."""

    is_compacted: bool
    retention_ms: int | None
    tombstones_ms: int
    is_bounded_in_bytes: bool = False

    @classmethod
    def of(cls, config: Mapping[str, str]) -> Policy:
        """The policy in a topic's settings."""
        words = config.get("cleanup.policy", "delete").split(",")
        retention = int(config.get("retention.ms", "-1"))
        deletes = "delete" in words
        return cls(
            is_compacted="compact" in words,
            retention_ms=retention if deletes and retention >= 0 else None,
            tombstones_ms=int(config.get("delete.retention.ms", str(DAY_MS))),
            is_bounded_in_bytes=deletes and int(config.get("retention.bytes", "-1")) >= 0,
        )

    def has_aged(self, timestamp_ms: int, now_ms: int, *, is_before_start: bool) -> bool:
        """Whether a message of that time may be gone, by age or, before the start, by size."""
        if self.is_bounded_in_bytes and is_before_start:
            return True
        return self.retention_ms is not None and now_ms - timestamp_ms >= self.retention_ms

    def may_drop_tombstone(self, timestamp_ms: int, now_ms: int) -> bool:
        """Whether a tombstone of that time may be gone."""
        return self.is_compacted and now_ms - timestamp_ms >= self.tombstones_ms
