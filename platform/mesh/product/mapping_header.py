"""Opens a file from outside: its encoding, its delimiter, and where the mapping's columns are.

Not here: the records themselves (`mapping_records`), and what they mean (`mapping_sql`).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import TextIO

from mesh.contract.faults import Fault
from mesh.contract.names import listed, nearest, shown
from mesh.errors import InvalidFile
from mesh.product.mapping_document import Mapping
from mesh.product.mapping_records import MAX_RECORD_CHARS, Dialect, Record, check_head, records

__all__ = ["DELIMITERS", "OpenFile", "opened"]

DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFile:
    """A file whose header is read: its records, and its *names* by position."""

    names: tuple[str, ...]
    records: Iterable[Record]


@contextmanager
def opened(path: Path, mapping: Mapping) -> Iterator[OpenFile]:
    """Open the CSV file at *path*, and read its header.

    Raises `InvalidFile` where it cannot be read, is empty, is not CSV, or lacks a column.
    """
    try:
        with path.open("rb") as head:
            check_head(head, path, mapping.encoding)
        with path.open(
            encoding=_with_mark(mapping.encoding), errors="mesh.keep-bytes", newline=""
        ) as stream:
            yield _open(stream, path, mapping)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _invalid(path, f"cannot be read: {reason}", "check the path and its mode") from error
    except UnicodeError as error:
        remedy = f"write another encoding in {mapping.path.name}"
        raise _invalid(path, f"this is not {mapping.encoding}: {error}", remedy) from error


def _open(stream: TextIO, path: Path, mapping: Mapping) -> OpenFile:
    delimiter = mapping.delimiter or _delimiter(stream, mapping)
    dialect = Dialect(delimiter=delimiter, quote=mapping.quote, encoding=mapping.encoding)
    read = records(stream, dialect)
    first = next(read, None)
    if first is None:
        raise _invalid(path, "the file holds blank lines only", "check how it was made")
    if first.reason:
        raise _invalid(
            path, f"the first line cannot be read: {first.reason}", "mend it", first.line
        )
    names = _names(first.values, mapping)
    _check_columns(path, names, mapping, first.line)
    return OpenFile(names=names, records=read if mapping.has_header else chain([first], read))


def _delimiter(stream: TextIO, mapping: Mapping) -> str:
    """Return the delimiter under which the first line has most of the mapping's columns."""
    while (line := stream.readline(MAX_RECORD_CHARS)) and not line.strip("\r\n"):
        pass
    stream.seek(0)

    def fit(delimiter: str) -> tuple[int, int]:
        first = next(
            records(StringIO(line), Dialect(delimiter=delimiter, quote=mapping.quote)), None
        )
        names = _names(first.values, mapping) if first else ()
        return len(set(mapping.columns) & set(names)), len(names)

    return max(DELIMITERS, key=fit)


def _names(values: Sequence[str], mapping: Mapping) -> tuple[str, ...]:
    if mapping.has_header:
        return tuple(value.strip() for value in values)
    return tuple(str(place + 1) for place in range(len(values)))


def _check_columns(path: Path, names: Sequence[str], mapping: Mapping, line: int) -> None:
    faults = []
    for column in mapping.columns:
        if (count := names.count(column)) == 1:
            continue
        near = nearest(column, names)
        remedy = f"in {mapping.path.name}, write {shown(near) if near else 'one of these'}"
        problem = f"{count} columns are" if count else "no column is"
        problem += f" called {shown(column)}: the file has {listed(map(shown, names))}"
        faults.append(_fault(path, problem, "name each column once" if count else remedy, line))
    if faults:
        raise InvalidFile(faults)


def _with_mark(encoding: str) -> str:
    """A byte order mark belongs to no value."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _invalid(path: Path, problem: str, remedy: str, line: int = 0) -> InvalidFile:
    return InvalidFile([_fault(path, problem, remedy, line)])


def _fault(path: Path, problem: str, remedy: str, line: int) -> Fault:
    return Fault(path=path, line=line, problem=problem, remedy=remedy, rule="csv")
