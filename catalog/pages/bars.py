"""A chart of an answer: one bar a row, as long as its first number; places for a template.

Not here: charts over time (`charts`), words and colours (template and style sheet).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.pages.texts import fit, one_line

__all__ = ["Bars", "bars_of"]

MOST_BARS = 40
WIDTH, LEFT, RIGHT, STEP, THICK = 720, 220, 110, 24, 16
# Sums come as text, so that no digit is lost; a telephone number has a sign before it.
NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A row: what it is called, its value as it is said, and where its bar stands."""

    label: str
    value: str
    x: int
    y: int
    width: int
    text_x: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """All that is drawn, and in words what it is."""

    width: int
    height: int
    left: int
    thick: int
    bars: Sequence[Bar]
    summary: str


def bars_of(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Bars | None:
    """The chart of an answer; None where it has one row at most, or no column of numbers."""
    place = next((each for each in range(len(columns)) if has_numbers(rows, each)), None)
    if place is None or len(rows) < 2:
        return None
    shown = rows[:MOST_BARS]
    values = [number_of(row[place]) or 0.0 for row in shown]
    low, high = min([*values, 0.0]), max([*values, 0.0])
    scale = (WIDTH - LEFT - RIGHT) / ((high - low) or 1.0)
    label = 0 if place else None
    bars = [
        Bar(
            label=fit(one_line(number if label is None else row[label]), LEFT - 16),
            value=one_line(row[place]),
            x=round(LEFT + (min(value, 0.0) - low) * scale),
            y=4 + number * STEP,
            width=max(round(abs(value) * scale), 1),
            text_x=round(LEFT + (max(value, 0.0) - low) * scale) + 6,
        )
        for number, (row, value) in enumerate(zip(shown, values, strict=True))
    ]
    more = f", the first {len(shown)} of {len(rows)} rows" if len(rows) > len(shown) else ""
    by = f" by {columns[0]}" if place else ""
    return Bars(
        width=WIDTH,
        height=8 + len(shown) * STEP,
        left=round(LEFT - low * scale),
        thick=THICK,
        bars=bars,
        summary=f"{columns[place]}{by}{more}",
    )


def has_numbers(rows: Sequence[Sequence[object]], place: int) -> bool:
    """Whether a column has nothing but numbers; as text not in the first, which is a name."""
    found = [row[place] for row in rows if row[place] is not None]
    return bool(found) and all(
        number_of(each) is not None and (place > 0 or not isinstance(each, str)) for each in found
    )


def number_of(value: object) -> float | None:
    """A value as a number, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
