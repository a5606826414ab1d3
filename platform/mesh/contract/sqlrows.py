"""What a part of a query gives: its columns, each with the input fields that it is made of.

A set here is never too small: where a name may mean two things, it means both. Not here: which
part of a query gives what (`sqlsources`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

__all__ = ["Fields", "Rows", "Scope", "Unclear", "blended", "nothing"]

# Pairs of an input's name and a field of it.
Fields = frozenset[tuple[str, str]]
nothing: Fields = frozenset()


class Unclear(Exception):
    """What the query reads cannot be told; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Named columns in order. *decides* is what decides which rows there are.

    Columns whose names are not known are made of *other*; None where there are none. If *is_open*
    even their number is not known.
    """

    columns: tuple[tuple[str, Fields], ...]
    decides: Fields = nothing
    other: Fields | None = None
    is_open: bool = False

    @property
    def everything(self) -> Fields:
        """What any of the columns is made of."""
        return union(*(found for _, found in self.columns), self.other or nothing)

    def column(self, name: str) -> Fields | None:
        """What the column *name* is made of; None where there is none."""
        found = [fields for each, fields in self.columns if each == name]
        return union(*found) if found else self.other

    def has(self, name: str) -> bool:
        """Whether a column is called so for certain."""
        return any(each == name for each, _ in self.columns)

    def named(self, names: Iterable[str]) -> Rows:
        """The same with other names, as far as there are any."""
        given = list(names)
        if not given:
            return self
        if self.is_open:
            made_of = self.everything
            columns = tuple((each, made_of) for each in given)
            return Rows(columns=columns, decides=self.decides, other=made_of, is_open=True)
        kept = [name for name, _ in self.columns][len(given) :]
        new = zip([*given, *kept], (found for _, found in self.columns), strict=False)
        return Rows(columns=tuple(new), decides=self.decides, other=self.other)

    def deciding(self, more: Fields) -> Rows:
        """The same, of which *more* decides which rows there are."""
        return Rows(
            columns=self.columns,
            decides=self.decides | more,
            other=self.other,
            is_open=self.is_open,
        )


@dataclass(slots=True, kw_only=True)
class Scope:
    """What the names in an expression may mean: tables by alias, aliases, what is outside."""

    outer: Scope | None = None
    tables: list[tuple[str, Rows]] = field(default_factory=list)
    aliases: dict[str, Fields] = field(default_factory=dict)
    windows: dict[str, Fields] = field(default_factory=dict)
    merged: dict[str, Fields] = field(default_factory=dict)

    def table(self, alias: str) -> Rows | None:
        """The table with this alias, of here or outside."""
        found = next((rows for name, rows in self.tables if name == alias), None)
        return found or (self.outer.table(alias) if self.outer else None)

    def resolve(self, parts: list[str]) -> Fields:
        """What a reference is made of. Raises `Unclear` where it means nothing that is known."""
        for index, part in enumerate(parts[:-1]):
            table = self.table(part) if index < 2 else None
            found = table.column(parts[index + 1]) if table else None
            if found is not None:
                return found
        return self._column(parts[0])

    def everything(self) -> Fields:
        """What any column of any table here is made of."""
        return union(*(rows.everything for _, rows in self.tables))

    def _column(self, name: str) -> Fields:
        found = [rows.column(name) or nothing for _, rows in self.tables if rows.has(name)]
        found += [each[name] for each in (self.aliases, self.merged) if name in each]
        if found:
            return union(*found)
        guesses = [rows.other for _, rows in self.tables if rows.other is not None]
        whole = [rows.everything for alias, rows in self.tables if alias == name]
        with suppress(Unclear):  # else nothing outside is called so, and the guesses stand
            guesses += [self.outer._column(name)] if self.outer else []
        if not guesses and not whole:
            raise Unclear(f"{name} is a column of nothing that is known")
        return union(*guesses, *whole)


def union(*sets: Fields) -> Fields:
    """All of *sets* in one."""
    return frozenset().union(*sets)


def blended(rows: Iterable[Rows], *, is_by_name: bool, is_set: bool) -> Rows:
    """The rows of a UNION and the like; of a *set*, every column decides which rows there are."""
    parts = list(rows)
    decides = union(*(each.decides for each in parts))
    if is_set:
        decides |= union(*(each.everything for each in parts))
    if is_by_name:
        called = dict.fromkeys(name for each in parts for name, _ in each.columns)
        columns = [(name, union(*(p.column(name) or nothing for p in parts))) for name in called]
        is_open = any(each.is_open for each in parts)
    else:
        is_open = any(each.is_open for each in parts) or len({len(p.columns) for p in parts}) > 1
        columns = (
            [(name, union(*(each.everything for each in parts))) for name, _ in parts[0].columns]
            if is_open
            else positional(parts)
        )
    others = [each.other for each in parts if each.other is not None]
    names = [name for name, _ in parts[0].columns]
    if not is_by_name and (is_open or "" in names or len({*names}) < len(names)):
        others = [each.everything for each in parts]
    other = union(*others) if others else None
    return Rows(columns=tuple(columns), decides=decides, other=other, is_open=is_open)


def positional(parts: list[Rows]) -> list[tuple[str, Fields]]:
    """Column by column, called as the first part calls it."""
    first = [name for name, _ in parts[0].columns]
    sets = zip(*([found for _, found in each.columns] for each in parts), strict=True)
    return [(name, union(*found)) for name, found in zip(first, sets, strict=True)]


def tables_of(names: Mapping[str, Iterable[str]], *, is_open: bool = False) -> dict[str, Rows]:
    """The rows of inputs by name, each with its fields; an open one has columns of no field too."""
    return {
        name: Rows(
            columns=tuple((each.lower(), frozenset({(name, each)})) for each in fields),
            other=nothing,
            is_open=is_open,
        )
        for name, fields in names.items()
    }
