"""Reads a file of cases, and says where it is none. Not here: running them (`cases`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from mesh.contract.faults import Fault
from mesh.contract.yamlfile import YamlFile
from mesh.errors import InvalidFile

__all__ = ["Row", "fault", "part", "rows_at"]

Row = Mapping[str, object]
T = TypeVar("T")


def rows_at(file: YamlFile, place: tuple[str | int, ...]) -> list[Row]:
    """The list of rows at *place*."""
    return [part(file, (*place, number), dict) for number in range(len(part(file, place, list)))]


def part(file: YamlFile, place: tuple[str | int, ...], kind: type[T]) -> T:
    """The part of the document at *place*, which must be of *kind*."""
    found: Any = file.document
    for step in place:
        found = found.get(step) if isinstance(found, dict) else found[int(step)]
    if not isinstance(found, kind):
        shape = "a mapping" if kind is dict else "a list"
        what = f"item {place[-1] + 1}" if isinstance(place[-1], int) else f"`{place[-1]}`"
        problem = f"{what} is not {shape}"
        raise InvalidFile([fault(file, place, problem, f"write {shape}; see docs/products.md")])
    return found


def fault(file: YamlFile, place: tuple[str | int, ...], problem: str, remedy: str) -> Fault:
    """A fault at a place of the file."""
    return Fault(
        path=file.path, line=file.line_of(place), problem=problem, remedy=remedy, rule="cases"
    )
