"""What a new product is: what it is called, its inputs, its columns and where each comes from.

Not here: how that is decided (`new_shaping`), how it is written (`new_sql`, `new_cases`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesh.contract.field_type import FieldType
from mesh.contract.model import Contract, Field
from mesh.contract.names import to_snake

__all__ = ["INSTANT", "Column", "New", "Shape", "Source"]

INSTANT = FieldType(kind="timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An input: what the product calls it, its contract, and the field that rows are joined by."""

    name: str
    contract: Contract
    by: Field | None = None

    @property
    def table(self) -> str:
        """What its rows are called in SQL."""
        return to_snake(self.name)

    @property
    def is_lone(self) -> bool:
        """Whether no two rows have the same value of *by*, since it alone is the key."""
        return self.contract.kind == "state" and self.contract.key_fields == (self.by,)

    @property
    def moment(self) -> Field | None:
        """When a row happened: its first instant that is always there."""
        moments = (f for f in self.contract.fields if f.type == INSTANT and f.is_required)
        return next(moments, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field of the new port: *origin* as it is, or how many rows, or the newest moment of them.

    *source* is None of the key of what has no first input.
    """

    name: str
    how: Literal["as it is", "count", "newest"]
    source: Source | None
    origin: Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The port: its *columns*, the key first. *spine* is the state port with a row per key."""

    kind: Literal["event", "state"]
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    spine: Source | None = None
    identifier: str | None = None
    left_out: tuple[tuple[Source, Field], ...] = ()
    others: tuple[str, ...] = ()

    @property
    def counted(self) -> tuple[Source, ...]:
        """The inputs of which rows are counted."""
        return tuple(each.source for each in self.columns if each.how == "count" and each.source)

    @property
    def joined(self) -> tuple[Source, ...]:
        """The inputs beside the spine that have a row per key too."""
        return tuple(s for s in self.sources if s != self.spine and s not in self.counted)


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """What a product is called and for, whose it is, and what its port has.

    *grain* says what one row is, *made_by* which command makes it, *made_of* of what.
    """

    id: str
    port: str
    domain: str
    owner: str
    purpose: str
    grain: str
    shape: Shape
    made_by: str = "mesh new"
    made_of: str = "its inputs' contracts"

    @property
    def title(self) -> str:
        """The name for people."""
        return self.id.replace("-", " ").capitalize()

    @property
    def contract(self) -> str:
        """The id of its port's contract."""
        return f"{self.id}.{self.port}"

    @property
    def name(self) -> str:
        """What its files and its table are called."""
        return to_snake(self.port)
