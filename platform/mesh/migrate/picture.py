"""A picture of a plan as SVG: tables from what lands to the reports, by what becomes of them.

Not here: what becomes of them (`plan`), and the catalogue's pictures, which are part of a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from mesh.migrate.fates import PlannedStep

__all__ = ["picture_of"]

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN, HEAD = 236, 46, 300, 62, 16, 44
LETTERS = 34
# The colours are the catalogue's, for light and for dark.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #16232a } .small { font-size: 10px }
rect { fill: #ffffff; stroke: #9aa7ad } path { fill: none; stroke: #9aa7ad }
.kept rect { fill: #e3f3ea; stroke: #17663a } .moved rect { fill: #e4eff9; stroke: #2f6fb0 }
.cut rect { fill: #fff1d6; stroke: #a02622; stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf0 } rect { fill: #172127 } .kept rect { fill: #10291c; stroke: #7fd6a2 }
.moved rect { fill: #12263a; stroke: #7fb6f2 } .cut rect { fill: #3a2e14; stroke: #ff9d97 } }
"""
FATES = ("kept", "moved", "cut")


def picture_of(steps: Sequence[PlannedStep], title: str) -> str:
    """The SVG of these *steps*, each table a tile, right of all that it is made of."""
    by_table = {each.table: each for each in steps}
    columns = placed({table: step.statement.step.reads for table, step in by_table.items()})
    rows: dict[int, int] = {}
    places = {}
    for table, column in columns.items():
        row = rows[column] = rows.get(column, -1) + 1
        places[table] = (MARGIN + column * ACROSS, MARGIN + HEAD + row * DOWN)
    width = 2 * MARGIN + max(columns.values(), default=0) * ACROSS + WIDTH
    height = 2 * MARGIN + HEAD + (max(rows.values(), default=0) + 1) * DOWN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        *legend(),
        *(
            arrow(places[read], places[table])
            for table, step in by_table.items()
            for read in step.statement.step.reads
            if read != table
        ),
        *(tile(places[table], table, by_table.get(table)) for table in columns),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def placed(reads: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """In which column each table stands: right of all it is made of; what nobody reads, last."""
    columns: dict[str, int] = {}
    for table, sources in reads.items():
        others = [each for each in sources if each != table]
        for each in others:
            columns.setdefault(each, 0)
        columns[table] = 1 + max((columns[each] for each in others), default=-1)
    last, read = (
        max(columns.values(), default=0),
        {each for some in reads.values() for each in some},
    )
    return {table: place if table in read else last for table, place in columns.items()}


def legend() -> Iterator[str]:
    """What the colours mean."""
    for number, fate in enumerate(FATES):
        x = MARGIN + number * 90
        yield (
            f'<g class="{fate}"><rect x="{x}" y="{MARGIN}" width="18" height="14" rx="3"/>'
            f'<text x="{x + 24}" y="{MARGIN + 12}">{fate}</text></g>'
        )


def tile(place: tuple[int, int], table: str, step: PlannedStep | None) -> str:
    """A table; one that landed has no fate."""
    x, y = place
    where = ", ".join(names_of(step)) if step else ""
    second = where or (", ".join(step.domains) if step else "what the system sends")
    note = f"{table}: {step.fate}, {step.why}; {where}" if step else table
    return (
        f'<g class="{step.fate if step else "landed"}"><title>{escape(note)}</title>'
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + 10}" y="{y + 19}">{escape(short(table))}</text>'
        f'<text class="small" x="{x + 10}" y="{y + 36}">{escape(short(second, 6))}</text></g>'
    )


def names_of(step: PlannedStep) -> Iterable[str]:
    """The ports in which a statement is found again, or that are asked in its place."""
    return step.relations or step.ports


def arrow(source: tuple[int, int], target: tuple[int, int]) -> str:
    """A curve from a table to one that is made of it."""
    x, y, end, low = source[0] + WIDTH, source[1] + HEIGHT // 2, target[0], target[1] + HEIGHT // 2
    bend = (end - x) // 2
    return f'<path d="M{x} {y}C{x + bend} {y} {end - bend} {low} {end} {low}"/>'


def short(text: str, more: int = 0) -> str:
    """*text* as far as a tile has room for it."""
    return text if len(text) <= LETTERS + more else text[: LETTERS + more - 1] + "…"
