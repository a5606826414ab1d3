"""The report as a picture: bars for who called, lines for how soon a new user is known, in SVG.

Not here: what is counted (`twin`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

__all__ = ["SIDES", "share", "svg_of"]

SIDES = (
    ("twin", "golden record", "#b04a2f"),
    ("perfect", "golden record, matched without a fault", "#d9a08f"),
    ("ring", "key ring", "#2f6f8f"),
)
WIDTH, LEFT, RIGHT, BAR, GAP = 760, 130, 90, 16, 14
PLOT = WIDTH - LEFT - RIGHT
LINES_HEIGHT = 200
HEAD = 64


def share(count: Mapping[str, int]) -> float:
    """Which part of answers is right."""
    return count["right"] / max(sum(count.values()), 1)


def svg_of(report: Mapping[str, Any]) -> str:
    """The whole picture."""
    body = [*legend(), *bars(report["calls"], HEAD)]
    top = HEAD + len(report["calls"]) * (len(SIDES) * BAR + GAP) + 40
    body += lines(report["late"], top)
    height = top + LINES_HEIGHT + 60
    merges = report["merges"]
    words = (
        f"Of the cards of {merges['persons']} persons, {merges['wrong_merges']} pairs are merged"
        f" wrongly and {merges['wrong_splits']} wrongly split."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12"'
            ' role="img" aria-labelledby="title">',
            f'<title id="title">{escape(words)}</title>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            text(12, 20, "Calls attributed to the right person, by what is asked", 14),
            *body,
            text(12, height - 12, words),
            "</svg>",
            "",
        ]
    )


def legend() -> Iterator[str]:
    """What each colour is."""
    x = 12
    for _, name, colour in SIDES:
        yield f'<rect x="{x}" y="34" width="12" height="12" fill="{colour}"/>'
        yield text(x + 18, 45, name)
        x += 40 + 7 * len(name)


def bars(calls: Mapping[str, Mapping[str, Mapping[str, int]]], top: int) -> Iterator[str]:
    """A group a role, a bar a side."""
    y = top
    for role, sides in calls.items():
        yield text(12, y + 2 * BAR, role)
        for side, _, colour in SIDES:
            part = share(sides[side])
            width = round(part * PLOT)
            yield f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR - 2}" fill="{colour}"/>'
            yield text(LEFT + width + 6, y + BAR - 4, f"{part:.1%}")
            y += BAR
        y += GAP


def lines(late: Mapping[str, Any], top: int) -> Iterator[str]:
    """After how long each side knows who uses a number that changed hands."""
    hours: Sequence[int] = late["after_hours"]
    base = top + 20 + LINES_HEIGHT - 20
    step = PLOT / (len(hours) - 1)
    yield text(12, top, "Numbers that got another user: whose user is known, after …", 14)
    for part in (0, 0.5, 1):
        y = round(base - part * (LINES_HEIGHT - 30))
        yield f'<line x1="{LEFT}" y1="{y}" x2="{LEFT + PLOT}" y2="{y}" stroke="#cccccc"/>'
        yield text(LEFT - 44, y + 4, f"{part:.0%}")
    for number, each in enumerate(hours):
        words = f"{each} h" if each < 24 else f"{each // 24} d"
        yield text(round(LEFT + number * step) - 8, base + 18, words)
    for side, _, colour in SIDES:
        if side not in late:
            continue
        counts = zip(late[side]["right"], late[side]["asked"], strict=True)
        points = " ".join(
            f"{round(LEFT + n * step)},{round(base - right / max(asked, 1) * (LINES_HEIGHT - 30))}"
            for n, (right, asked) in enumerate(counts)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


def text(x: int, y: int, words: str, size: int = 12) -> str:
    """A line of text."""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="#222222">{escape(words)}</text>'
