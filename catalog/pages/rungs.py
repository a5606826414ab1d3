"""The rungs of the ladder as a page says them: a number and what each means."""

from __future__ import annotations

from collections.abc import Mapping

from catalog.shelf import Entry
from mesh.contract.ladder import RUNGS, Rung

__all__ = ["MEANINGS", "number_of", "rung_of"]

MEANINGS: Mapping[Rung, str] = {
    "dump": "its data is there, once",
    "refreshed": "it comes again, on the declared schedule",
    "contracted": "its owner accepted the contract, and its data keeps it",
    "live": "a port has been inside its service levels for a day",
    "certified": "that for a week, with few rows set aside, and somebody reads it",
}


def rung_of(entry: Entry | None) -> Rung | None:
    """The rung of a product, None where nothing is known."""
    return None if entry is None or entry.standing is None else entry.standing.rung


def number_of(rung: Rung | None) -> int:
    """1 for the lowest rung, 0 where there is none."""
    return 0 if rung is None else RUNGS.index(rung) + 1
