"""Charts of what was observed over time, as places; a template draws them as SVG.

Not here: what was observed (`catalog.shelf`), words and colours (template and style sheet).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from catalog.pages.texts import since
from catalog.shelf import Observed

__all__ = ["Bar", "Chart", "Tick", "freshness_chart", "quality_chart", "thinned"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 200, 64, 28, 12
MOST_POINTS = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    at: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A count within a piece of time."""

    x: int
    y: int
    width: int
    height: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """All that is drawn: lines (each a path), a limit if there is one, bars, and axes."""

    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    base: int = HEIGHT - BOTTOM
    lines: Sequence[str] = ()
    dots: Sequence[tuple[int, int]] = ()
    bars: Sequence[Bar] = ()
    limit: int | None = None
    xs: Sequence[Tick] = ()
    ys: Sequence[Tick] = ()
    summary: str = ""


def freshness_chart(history: Sequence[Observed], limit_s: float | None) -> Chart | None:
    """Freshness over time, with the limit that was promised; None where nothing is known.

    Where the product did not answer, the line has a gap.
    """
    history = thinned(history)
    values = [each.freshness_s for each in history if each.freshness_s is not None]
    if not values:
        return None
    # A limit far above would press the line flat; then words say it alone.
    is_near = limit_s is not None and limit_s <= 4 * max(values)
    top = nice(max([*values, limit_s or 0.0]) if is_near else max(values))
    pieces: list[list[tuple[int, int]]] = [[]]
    for each in history:
        if each.freshness_s is None or not each.is_reached:
            pieces.append([])
        else:
            pieces[-1].append((across(each.observed_at, history), up(each.freshness_s, top)))
    return Chart(
        lines=["M" + "L".join(f"{x} {y}" for x, y in piece) for piece in pieces if len(piece) > 1],
        dots=[piece[0] for piece in pieces if len(piece) == 1],
        limit=up(limit_s, top) if limit_s is not None and is_near else None,
        xs=times(history),
        ys=[Tick(at=up(top * part / 2, top), label=since(top * part / 2)) for part in range(3)],
        summary=f"Freshness between {since(min(values))} and {since(max(values))} "
        f"in {len(values)} observations"
        + (f"; {since(limit_s)} were promised." if limit_s is not None else "."),
    )


def quality_chart(history: Sequence[Observed]) -> Chart | None:
    """What was set aside between two observations; None where that is not known yet."""
    history = thinned([each for each in history if each.is_reached])
    if len(history) < 2:
        return None
    totals = [each.count_aside for each in history]
    # A storage that was made anew counts from nothing again.
    news = [new - old if new >= old else new for old, new in pairwise(totals)]
    top = nice(max(news))
    bars = []
    for before, each, count in zip(history, history[1:], news, strict=False):
        x, end, y = across(before.observed_at, history), across(each.observed_at, history), 0
        y = up(count, top)
        if count:
            label = f"{count} set aside until {each.observed_at:%d %b %H:%M}"
            size = {"width": max(end - x - 1, 2), "height": HEIGHT - BOTTOM - y}
            bars.append(Bar(x=x, y=y, label=label, **size))
    return Chart(
        bars=bars,
        xs=times(history),
        ys=[Tick(at=up(top * part / 2, top), label=f"{top * part / 2:g}") for part in range(3)],
        summary=f"{sum(news)} messages and rows were set aside in {len(history)} observations.",
    )


def thinned(history: Sequence[Observed]) -> Sequence[Observed]:
    """At most so many observations, evenly, the last one always among them."""
    step = math.ceil(len(history) / MOST_POINTS) or 1
    return history[::-1][::step][::-1]


def nice(value: float) -> float:
    """A round number that is not below *value*."""
    if not 0 < value < math.inf:
        return 1.0
    unit: float = 10 ** math.floor(math.log10(value))
    return next(unit * each for each in (1, 2, 4, 5, 10) if unit * each >= value * 0.999999)


def up(value: float, top: float) -> int:
    """The height of *value* on an axis that ends at *top*."""
    part = min(max(value / top, 0.0), 1.0)
    return round(HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP))


def across(at: datetime, history: Sequence[Observed]) -> int:
    """The place of an instant between the first and the last observation."""
    first, last = history[0].observed_at, history[-1].observed_at
    span = (last - first).total_seconds()
    part = (at - first).total_seconds() / span if span > 0 else 0.5
    return round(LEFT + min(max(part, 0.0), 1.0) * (WIDTH - LEFT - TOP))


def times(history: Sequence[Observed]) -> Sequence[Tick]:
    """First and last instant of the axis."""
    ends = [history[0]] if len(history) == 1 else [history[0], history[-1]]
    return [
        Tick(at=across(each.observed_at, history), label=f"{each.observed_at:%d %b %H:%M}")
        for each in ends
    ]
