"""What the parity ledger says of a report and a day: equal, different, explained or not.

Not here: how it is found out (`compare`), and what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

__all__ = ["Verdict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One report, by the warehouse's name, and one day; the counts are of rows.

    *causes* has the rows that each set of causes explains, its names joined by ` + `; *offsets*
    are those for which the mesh's answer is true.
    """

    report: str
    day: date
    equal: int
    different: int
    only_mesh: int
    only_warehouse: int
    causes: Mapping[str, int]
    unexplained: int
    offsets: Mapping[str, object]
    compared_at: datetime

    @property
    def is_clean(self) -> bool:
        """Whether every row is equal or explained."""
        return self.unexplained == 0
