"""A chart of what of the warehouse is still needed, as SVG: a step a decision.

Not here: what is needed (`burndown`), and the catalogue's charts, which are part of a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from mesh.migrate.burndown import Left

__all__ = ["chart_of"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 300, 52, 150, 40, 44
FIGURES = ("jobs", "tables", "lines")
# Lines of text at the end of curves that end in one place.
APART = 16
# The colours are the catalogue's, for light and for dark; strokes tell curves apart, too.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #16232a } .axis { stroke: #9aa7ad }
polyline { fill: none; stroke-width: 2 } .jobs { stroke: #2f6fb0 }
.tables { stroke: #17663a; stroke-dasharray: 7 3 } .lines { stroke: #a02622; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf0 } .jobs { stroke: #7fb6f2 }
.tables { stroke: #7fd6a2 } .lines { stroke: #ff9d97 } }
"""


def chart_of(steps: Sequence[Left]) -> str:
    """Of each figure its part of what it was at first, from decision to decision."""
    first, last = steps[0], steps[-1]
    title = "Of the warehouse still needed: " + ", ".join(
        f"{getattr(last, each)} of {getattr(first, each)} {each}" for each in FIGURES
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text x="{LEFT}" y="20">{escape(title)}</text>',
    ]
    for part in (0, 50, 100):
        y = up(part / 100)
        parts.append(
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{part} %</text>'
        )
    ends = [(up(share(steps, each, -1)), each) for each in FIGURES]
    low = 0
    for y, name in sorted(ends):
        low = max(y + 4, low + APART)
        points = " ".join(f"{x},{up(part)}" for x, part in corners(steps, name))
        parts.append(f'<polyline class="{name}" points="{points}"/>')
        label = f"{getattr(last, name)} {name}"
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{low}">{label}</text>')
    parts += [mark(steps, number) for number in range(1, len(steps))]
    return "\n".join([*parts, "</svg>"]) + "\n"


def share(steps: Sequence[Left], name: str, number: int) -> float:
    """A figure after a decision, as part of what it was at first."""
    begun: int = getattr(steps[0], name)
    found: int = getattr(steps[number], name)
    return found / begun if begun else 0.0


def corners(steps: Sequence[Left], name: str) -> list[tuple[int, float]]:
    """The corners of a curve of steps: it holds until the next decision."""
    found = []
    for number in range(len(steps)):
        part = share(steps, name, number)
        found += [(across(number, len(steps)), part), (across(number + 1, len(steps)), part)]
    return found


def mark(steps: Sequence[Left], number: int) -> str:
    """What was decided at a step; pointed at, the whole of it."""
    decision, x, y = steps[number].decision, across(number, len(steps)), HEIGHT - BOTTOM
    if decision is None:
        return ""
    note = f"{decision.report} {decision.decision} by {decision.principal}"
    return (
        f"<g><title>{escape(f'{decision.decided_at:%d %b %Y %H:%M} {note}')}</title>"
        f'<line class="axis" x1="{x}" x2="{x}" y1="{TOP}" y2="{y + 4}"/>'
        f'<text x="{x}" y="{y + 18 + 14 * (number % 2)}" text-anchor="middle">'
        f"{decision.decided_at:%d %b}</text></g>"
    )


def up(part: float) -> int:
    """The height of a part of one."""
    return round(HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP))


def across(number: int, count: int) -> int:
    """Where a decision stands: all are as far apart, since a day may have many."""
    return round(LEFT + number / count * (WIDTH - LEFT - RIGHT))
