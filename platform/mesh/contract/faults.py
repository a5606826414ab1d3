"""A fault in a file that a person wrote: where it is, what is wrong, what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. *line* counts from 1; 0 means the file as a whole."""

    path: Path
    line: int
    problem: str
    remedy: str
    rule: str = "file"

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        return f"{place}: {self.problem} ({self.remedy})"
