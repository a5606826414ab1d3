"""The cases of a new product's port: rows made up so that what must come of them is plain.

What is expected follows from how many rows were made with which key, never from the query: so
the cases say something about it. Not here: the values (`new_values`), running them (`cases`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from mesh.contract.identifiers import Identifier
from mesh.contract.model import Field
from mesh.product.dump_files import Plain
from mesh.product.new_shape import Column, Shape, Source
from mesh.product.new_values import value_of

__all__ = ["as_cases", "cases_yaml"]

Row = dict[str, object]
HEAD = """\
# Made up by `mesh new`; what is expected follows from the rows, not from running the query.
# Look whether it is what you mean. Then add what you know of the data: late, double, missing, odd.
"""


def cases_yaml(shape: Shape, identifiers: Mapping[str, Identifier]) -> str:
    """The file of cases, as text."""
    maker = Maker(shape, identifiers)
    if shape.kind == "event":
        cases = maker.mapped()
    elif shape.spine is not None:
        cases = maker.joined(shape.spine)
    else:
        cases = maker.counted()
    return HEAD + as_cases(cases)


def as_cases(cases: Sequence[Mapping[str, object]]) -> str:
    """Cases as text, a row a line."""
    text: str = yaml.dump(
        {"cases": cases},
        Dumper=Plain,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=4096,
    )
    return text


class Maker:
    """Makes rows of a shape's inputs, and the rows that must come of them."""

    def __init__(self, shape: Shape, identifiers: Mapping[str, Identifier]) -> None:
        self._shape, self._identifiers = shape, identifiers
        self._key = shape.columns[0].name

    def mapped(self) -> list[Row]:
        """Of an event port: what comes, goes."""
        source = self._shape.sources[0]
        given = [self._row(source, number, None) for number in (1, 2)]
        return [
            {
                "name": f"each row of {source.table} is a row, of two as of one",
                "given": {f"new_{source.table}": given},
                "expect": [self._taken(source, row) for row in given],
            }
        ]

    def joined(self, spine: Source) -> list[Row]:
        """Of a state port with a row per row of *spine*."""
        first, second = (self._row(spine, number, number) for number in (1, 2))
        given: dict[str, list[Row]] = {spine.table: [first, second]}
        one, none = self._taken(spine, first), self._taken(spine, second)
        others = [each for each in self._shape.sources if each != spine]
        for source in others:
            rows = self._rows(source, (1, 3) if source.is_lone else (1, 1, 3))
            given[source.table] = rows
            mine = rows[:1] if source.is_lone else rows[:2]
            one |= self._said(source, mine)
            none |= self._said(source, [])
        names = ", ".join(each.table for each in others)
        cases: list[Row] = [
            {
                "name": f"the first of {spine.table} has rows of {names}, the second has none"
                if others
                else f"each row of {spine.table} is a row",
                "given": given,
                "expect": [one, none],
            }
        ]
        if others:
            lone = {each.table: given[each.table] for each in others}
            name = f"what {spine.table} does not have is no row"
            cases.append({"name": name, "given": lone, "expect": []})
        return cases

    def counted(self) -> list[Row]:
        """Of a state port with a row for whatever value any input has."""
        first, *others = self._shape.sources
        rows = {each: self._rows(each, (1, 1, 3)) for each in others}
        rows = {first: self._rows(first, (1, 1, 2)), **rows}
        expect: list[Row] = []
        for number, owners in ((1, [first, *others]), (2, [first]), (3, others)):
            row: Row = {self._key: self._value(first, number)}
            for source, made in rows.items():
                mine = [each for each in made if each[self._by(source).name] == row[self._key]]
                row |= self._said(source, mine)
            expect += [row] if owners else []
        names = ", ".join(each.table for each in (first, *others))
        return [
            {
                "name": f"two rows of {names} with one {self._key}, one row with another",
                "given": {source.table: made for source, made in rows.items()},
                "expect": expect,
            }
        ]

    def _rows(self, source: Source, keys: tuple[int, ...]) -> list[Row]:
        """A row of *source* for each of *keys*, the later ones on later days."""
        return [self._row(source, number, key) for number, key in enumerate(keys, 1)]

    def _row(self, source: Source, number: int, key: int | None) -> Row:
        """A whole row: what must be there, its instants on one day."""
        contract = source.contract
        row = {
            each.name: value_of(contract, each, number, self._identifiers)
            for each in contract.fields
            if each.is_required or each == source.by
        }
        if key is not None:
            row[self._by(source).name] = self._value(source, key)
        return row

    def _value(self, source: Source, number: int) -> object:
        """The value of the shared identifier, which is the same for every input."""
        known = (each for each in self._shape.sources if each.is_lone)
        first = next(known, self._shape.sources[0])
        return value_of(first.contract, self._by(first), number, self._identifiers)

    def _said(self, source: Source, rows: list[Row]) -> Row:
        """What the port says of *source*, of a key that has these rows of it."""
        said: Row = {}
        for each in self._shape.columns:
            if each.source == source and each.how == "count":
                said[each.name] = len(rows)
            elif each.source == source and each.how == "newest":
                said[each.name] = max((str(row[each.origin.name]) for row in rows), default=None)
            elif each.source == source:
                said[each.name] = rows[0].get(each.origin.name) if rows else None
        return said

    def _taken(self, source: Source, row: Row) -> Row:
        """What the port has of a row as it is."""
        return {
            each.name: row[each.origin.name]
            for each in self._shape.columns
            if is_of(each, source) and each.origin.name in row
        }

    def _by(self, source: Source) -> Field:
        assert source.by is not None  # noqa: S101 - a state port's inputs have one
        return source.by


def is_of(column: Column, source: Source) -> bool:
    """Whether a column is one of *source* as it is."""
    return column.source == source and column.how == "as it is"
