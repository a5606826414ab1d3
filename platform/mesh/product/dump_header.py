"""How a file of separated values is laid out: what separates, and whether it begins with names.

DuckDB's sniffer finds the separator; whether the first row is names is decided here, since
among columns of text the sniffer always says yes. Not here: reading the rows (`dump_source`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from mesh.contract.names import MAX_NAME
from mesh.errors import WrongUse

__all__ = ["Dialect", "names_for", "read_dialect"]

SAMPLE_LINES = 1000
LONGEST_SAMPLE_LINE = 65_536
DELIMITERS = (",", ";", "\t", "|")
NAMED = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
# What is a value and no name: numbers, dates and times, addresses, uuids, yes and no.
VALUE = re.compile(
    r"[+-]?[\d.,'\s]*\d|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?|[^@\s]+@[^@\s]+\.[^@\s]+"
    r"|[0-9a-f]{8}-[0-9a-f-]{27}|true|false|yes|no",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How rows are separated. *header* has a text a column, empty where there are no names."""

    delimiter: str
    has_header: bool
    header: tuple[str, ...]
    above: tuple[str, ...] = ()


def read_dialect(
    connection: duckdb.DuckDBPyConnection,
    text: Path,
    folder: Path,
    delimiter: str | None,
    *,
    header: bool | None,
) -> Dialect:
    """The layout of *text*, by its first lines, unless a person has said it."""
    lines = first_lines(text)
    sample = folder / "sample"
    sample.write_text("".join(lines), encoding="utf-8", newline="")
    delimiter = given(delimiter) if delimiter is not None else sniffed(connection, sample, lines)
    skipped, rows = table_in(lines, delimiter)
    is_named = looks_named(rows) if header is None else header
    names = tuple(rows[0]) if is_named else ("",) * len(rows[0])
    above = tuple(line.rstrip("\r\n") for line in lines[:skipped])
    return Dialect(delimiter=delimiter, has_header=is_named, header=names, above=above)


def first_lines(text: Path) -> list[str]:
    """The first lines, those of an odd length cut."""
    lines: list[str] = []
    with text.open(encoding="utf-8-sig", newline="") as file:
        while len(lines) < SAMPLE_LINES and (line := file.readline(LONGEST_SAMPLE_LINE)):
            lines.append(line if line.endswith(("\n", "\r")) else f"{line}\n")
            while not line.endswith("\n") and (line := file.readline(LONGEST_SAMPLE_LINE)):
                pass
    while lines and not lines[0].strip():
        # DuckDB leaves blank lines out, wherever they are; so must the count of the header.
        lines.pop(0)
    return lines


def given(name: str) -> str:
    """A separator as a person names it. Raises `WrongUse` where it is more than one character."""
    found = NAMED.get(name.lower(), name.encode().decode("unicode_escape") if name else "")
    if len(found) != 1 or found in '\r\n"':
        raise WrongUse(f"{name!r} separates nothing: give one character, or {', '.join(NAMED)}")
    return found


def sniffed(connection: duckdb.DuckDBPyConnection, sample: Path, lines: Sequence[str]) -> str:
    """The separator, as DuckDB finds it, or else by counting."""
    try:
        delimiter = connection.execute(
            "select Delimiter from sniff_csv(?, all_varchar=true, ignore_errors=true,"
            " strict_mode=false)",
            [str(sample)],
        ).fetchall()[0][0]
    except duckdb.Error:
        return likeliest(lines)
    return str(delimiter) if delimiter in DELIMITERS else likeliest(lines)


def table_in(lines: Sequence[str], delimiter: str) -> tuple[int, list[list[str]]]:
    """How many lines stand above the table (a title, a date), and its first rows."""
    reader = csv.reader(lines, delimiter=delimiter)
    found: list[tuple[int, list[str]]] = []
    before = 0
    for row in reader:
        found.append((before, row))
        before = reader.line_num
    widths = [len(row) for _, row in found if row]
    if not widths:
        raise WrongUse("the file has no line that could be a row")
    usual = max(set(widths), key=widths.count)
    at = next(number for number, (_, row) in enumerate(found) if len(row) == usual)
    return found[at][0], [row for _, row in found[at:] if row]


def likeliest(lines: Sequence[str]) -> str:
    """The separator of which most lines have the same number, some of it."""

    def score(delimiter: str) -> int:
        counts = [line.count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return counts.count(usual) * (usual > 0)

    return max(DELIMITERS, key=score)


def looks_named(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is names: none of its cells is a value as those below it are."""
    first, rest = rows[0], rows[1:101]
    for at, cell in enumerate(first):
        below = [row[at] for row in rest if len(row) > at and row[at].strip()]
        if VALUE.fullmatch(cell.strip()) and any(VALUE.fullmatch(each.strip()) for each in below):
            return False
        if cell.strip() and cell in below:
            return False
    return True


def names_for(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """A name in snake_case for each column, no two alike, and what is to be said of it."""
    names: list[str] = []
    notes: list[str] = []
    for number, text in enumerate(header, 1):
        name = snake(text) or f"column_{number}"
        if name in names:
            count = 2
            while f"{name}_{count}" in names:
                count += 1
            notes.append(f"a second column {text.strip() or name!r} is called {name}_{count}")
            name = f"{name}_{count}"
        names.append(name)
    return names, notes


def snake(text: str) -> str:
    """A header as a name that SQL and Avro share; empty where nothing is left of it."""
    import unicodedata

    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    plain = plain.encode("ascii", "ignore").decode()
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_")
    if name[:1].isdigit():
        name = f"n_{name}"
    return name[: MAX_NAME - 4].rstrip("_")
