"""What a verification has found: each thing that is missing, altered or foreign, and where."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["FAULTS", "Fault", "Finding", "Findings", "What"]

Fault = Literal["missing", "altered", "foreign"]
FAULTS: tuple[Fault, ...] = ("missing", "altered", "foreign")
What = Literal["log", "checkpoint", "entry", "tile", "opening", "message", "schema", "row"]
# Of one kind in one log; a log of another topic has as many findings as messages.
MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was signed for: what, where, and what to do."""

    fault: Fault
    what: What
    place: str
    words: str

    def __str__(self) -> str:
        return f"{self.fault}: {self.what} {self.place}: {self.words}"


@dataclass(slots=True)
class Findings:
    """Every finding, once. Of each kind in a *source* the first ones are kept, and all counted."""

    found: list[Finding] = field(default_factory=list)
    left_out: Counter[tuple[Fault, What, str]] = field(default_factory=Counter)
    _kept: Counter[tuple[Fault, What, str]] = field(default_factory=Counter)

    def add(self, fault: Fault, what: What, source: str, place: str = "", *, words: str) -> None:
        """Note one finding at *place* within *source*, a log or a port."""
        kind = (fault, what, source)
        if self._kept[kind] >= MOST:
            self.left_out[kind] += 1
            return
        where = f"{source} {place}".rstrip()
        self._kept[kind] += 1
        self.found.append(Finding(fault=fault, what=what, place=where, words=words))

    @property
    def is_fine(self) -> bool:
        """Whether there is none."""
        return not self.found
