"""What the catalogue knows, as values: one entry a product, and the shelf that holds them all.

Whoever shows, counts or compares works on a `Shelf`; it never changes, a new one takes its place.
Not here: where the entries come from (`store`), and what pages make of them (`pages`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from mesh.contract.ladder import Standing, Trial
from mesh.contract.lineage import Edge
from mesh.contract.model import Product
from mesh.contract.project import Project

__all__ = ["Entry", "Observed", "Shelf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What a product's management ports said when they were last asked.

    *rows* and *quarantine* are counts by port; *is_reached* is false where nothing answered.
    Of an older observation *rejected* alone is known, all that was set aside until then.
    *address* is its HTTP door where one is known.
    """

    observed_at: datetime
    state: str
    reason: str = ""
    is_reached: bool = True
    lag: int | None = None
    freshness_s: float | None = None
    last_arrival_at: datetime | None = None
    rows: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    quarantine: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    address: str | None = None
    rejected: int | None = None

    @property
    def count_aside(self) -> int:
        """How many messages and rows were set aside, of all ports."""
        return sum(self.quarantine.values()) if self.rejected is None else self.rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One product as the catalogue knows it; *history* has the older observations first.

    *tests* are those of its contracts on its real data, the newest first.
    """

    product: Product
    record: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    standing: Standing | None = None
    observed: Observed | None = None
    history: Sequence[Observed] = ()
    tests: Sequence[Trial] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All entries by product id, the project that their products make, and their lineage."""

    project: Project
    entries: Mapping[str, Entry]
    edges: Sequence[Edge] = ()
