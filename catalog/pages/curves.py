"""Curves in a square from 0 to 1, as places; a template draws them as SVG.

Not here: what they are of (`models`), words and colours (template and style sheet).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Curves", "curves_of"]

SIDE, LEFT, BOTTOM, TOP = 300, 44, 40, 10
TICKS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on both axes."""

    label: str
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line through *points*, as SVG writes them; *number* tells it from the others."""

    name: str
    number: int
    points: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """All that is drawn: the diagonal goes from the lower left to the upper right."""

    width: int
    height: int
    left: int
    top: int
    side: int
    ticks: Sequence[Tick]
    curves: Sequence[Curve]
    across: str
    up: str


def curves_of(found: Mapping[str, Sequence[Sequence[float]]], *, across: str, up: str) -> Curves:
    """A curve each of *found*, by its name: pairs of what goes *across* and what goes *up*."""
    return Curves(
        width=LEFT + SIDE + 12,
        height=TOP + SIDE + BOTTOM,
        left=LEFT,
        top=TOP,
        side=SIDE,
        ticks=[Tick(label=f"{each:g}", x=x_of(each), y=y_of(each)) for each in TICKS],
        curves=[
            Curve(name=name, number=number, points=" ".join(map(place, points)))
            for number, (name, points) in enumerate(found.items())
        ],
        across=across,
        up=up,
    )


def place(point: Sequence[float]) -> str:
    """A point as SVG writes it."""
    return f"{x_of(point[0])},{y_of(point[1])}"


def x_of(value: float) -> int:
    """Where *value* is across; what is beyond the square is at its edge."""
    return round(LEFT + min(max(value, 0.0), 1.0) * SIDE)


def y_of(value: float) -> int:
    """Where *value* is up."""
    return round(TOP + (1 - min(max(value, 0.0), 1.0)) * SIDE)
