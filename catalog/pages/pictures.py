"""Pictures of who reads whom, as places of boxes and arrows; a template draws them as SVG.

`layered` has columns from sources to readers, with arrows; `packed` holds hundreds of tiles.
Not here: what is in a picture (`map`, `lineage`), its colours (the style sheet).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from catalog.pages.texts import fit

__all__ = ["Arrow", "Box", "Group", "Line", "Node", "Picture", "Tile", "layered", "packed"]

TILE, ROW, PITCH = 172, 34, 42
PAD, HEAD, GAP = 12, 30, 20
COLUMN_GAP = 96
COLUMNS_OF_A_PAGE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a tile stands for; *note* is said beside its name where it is pointed at."""

    key: str
    label: str
    note: str = ""
    href: str | None = None
    kind: str = "product"
    rung: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Nodes that stand together: of one domain, or of one product."""

    key: str
    label: str
    nodes: Sequence[Node]
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From a node or group to another."""

    source: str
    target: str
    kind: str = "declared"
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A node with its place."""

    node: Node
    label: str
    x: int
    y: int
    width: int = TILE
    height: int = ROW


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A group with its place."""

    group: Group
    label: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A line with its path."""

    line: Line
    path: str


@dataclass(slots=True, kw_only=True)
class Picture:
    """All that is drawn, and the room that it takes."""

    width: int = 0
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)

    def put(self, group: Group, x: int, y: int, across: int = 1) -> int:
        """Place *group* with *across* tiles beside each other; where its lower edge is."""
        rows = -(-max(len(group.nodes), 1) // across)
        width = PAD * 2 + TILE * across + (across - 1) * (PITCH - ROW)
        height = HEAD + PITCH * rows + PAD - (PITCH - ROW)
        label = fit(group.label, width - PAD * 2)
        self.boxes.append(Box(group=group, label=label, x=x, y=y, width=width, height=height))
        for number, node in enumerate(group.nodes):
            column, row = number % across, number // across
            left = x + PAD + column * (TILE + PITCH - ROW)
            place = {"x": left, "y": y + HEAD + row * PITCH}
            room = TILE - (34 if node.rung else 22)
            self.tiles.append(Tile(node=node, label=fit(node.label, room), **place))
        self.width = max(self.width, x + width)
        self.height = max(self.height, y + height)
        return y + height


def layered(columns: Sequence[Sequence[Group]], lines: Sequence[Line]) -> Picture:
    """Groups in columns from left to right, each column in the middle, and their lines."""
    picture = Picture()
    columns = [column for column in columns if column]
    tall = max((sum(height_of(each) + GAP for each in column) for column in columns), default=0)
    for number, column in enumerate(columns):
        taken = sum(height_of(each) + GAP for each in column)
        y = 1 + (tall - taken) // 2
        for group in column:
            y = picture.put(group, 1 + number * (TILE + PAD * 2 + COLUMN_GAP), y) + GAP
    picture.width += 1
    picture.height += 1
    draw(picture, lines)
    return picture


def packed(groups: Sequence[Group]) -> Picture:
    """Groups as tiles of two beside each other, each group where there is most room."""
    picture = Picture()
    width = PAD * 2 + TILE * 2 + (PITCH - ROW)
    ends = [1] * COLUMNS_OF_A_PAGE
    for group in groups:
        column = ends.index(min(ends))
        ends[column] = picture.put(group, 1 + column * (width + GAP), ends[column], 2) + GAP
    picture.width += 1
    picture.height += 1
    return picture


def height_of(group: Group) -> int:
    """How high the box of *group* is where its tiles stand below each other."""
    return HEAD + PITCH * max(len(group.nodes), 1) + PAD - (PITCH - ROW)


def draw(picture: Picture, lines: Sequence[Line]) -> None:
    """Add the arrows; a line of which an end has no place is left out."""
    places: Mapping[str, Tile | Box] = {
        **{each.group.key: each for each in picture.boxes},
        **{each.node.key: each for each in picture.tiles},
    }
    for line in lines:
        source, target = places.get(line.source), places.get(line.target)
        if source is not None and target is not None and source is not target:
            picture.arrows.append(Arrow(line=line, path=path_of(source, target)))
    bulge = max((each.x + each.width for each in picture.boxes), default=0) + COLUMN_GAP // 2
    picture.width = max(picture.width, bulge)


def path_of(source: Tile | Box, target: Tile | Box) -> str:
    """A curve from the right of *source* to the left of *target*, or around where it is behind."""
    x, y = source.x + source.width, source.y + source.height // 2
    end = target.y + target.height // 2
    if target.x > x:
        bend = min(COLUMN_GAP, (target.x - x)) * 0.6
        return f"M{x} {y}C{x + bend:.0f} {y} {target.x - bend:.0f} {end} {target.x - 2} {end}"
    right = target.x + target.width
    bend = max(x, right) + COLUMN_GAP // 2
    return f"M{x} {y}C{bend} {y} {bend} {end} {right + 2} {end}"
