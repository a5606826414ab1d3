"""What the columns of a dump are: their types, which tell rows apart, which identify something.

Nothing here is certain: all of it goes into a contract that its owner edits and accepts.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from mesh.contract.field_type import FieldType, Kind
from mesh.contract.identifiers import Identifier
from mesh.contract.names import to_snake
from mesh.product.duck import quoted
from mesh.product.dump_source import Column, Source
from mesh.product.dump_sql import literal
from mesh.product.dump_values import guess_type

__all__ = ["ROW_NUMBER", "Found", "Guessed", "guess"]

# The key of a file in which nothing tells rows apart: where each stands.
ROW_NUMBER = "row_number"
KEY_WORDS = ("id", "number", "no", "nr", "key", "code", "uuid", "num")
NO_KEY: tuple[Kind, ...] = ("float32", "float64", "boolean")
# Pairs of columns are tried among so many that have no gaps.
PAIRED = 12
ALIKE = 0.75
PERSONAL_WORDS = (
    "name", "surname", "mail", "phone", "mobile", "birth", "address", "street", "iban", "ssn",
    "passport", "gender", "salary",
)  # fmt: skip
EXACT: dict[str, FieldType] = {
    "VARCHAR": FieldType(kind="string"),
    "UUID": FieldType(kind="uuid"),
    "BOOLEAN": FieldType(kind="boolean"),
    "TINYINT": FieldType(kind="int32"),
    "SMALLINT": FieldType(kind="int32"),
    "INTEGER": FieldType(kind="int32"),
    "UTINYINT": FieldType(kind="int32"),
    "USMALLINT": FieldType(kind="int32"),
    "BIGINT": FieldType(kind="int64"),
    "UINTEGER": FieldType(kind="int64"),
    "UBIGINT": FieldType(kind="decimal", precision=20, scale=0),
    "FLOAT": FieldType(kind="float32"),
    "DOUBLE": FieldType(kind="float64"),
    "DATE": FieldType(kind="date"),
    "TIMESTAMP": FieldType(kind="timestamp"),
    "TIMESTAMP_S": FieldType(kind="timestamp"),
    "TIMESTAMP_MS": FieldType(kind="timestamp"),
    "TIMESTAMP_NS": FieldType(kind="timestamp"),
    "TIMESTAMP WITH TIME ZONE": FieldType(kind="timestamp"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A column with what was found in it. *candidates* are identifiers that it may hold."""

    column: Column
    type: FieldType
    style: str = ""
    identifier: Identifier | None = None
    candidates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    count_distinct: int = 0
    count_null: int = 0

    @property
    def may_be_personal(self) -> bool:
        """Whether its name sounds as if it were of a person."""
        return any(word in self.column.name.split("_") for word in PERSONAL_WORDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessed:
    """The fields of a dump, the names that make its key, and other keys that would do."""

    fields: tuple[Found, ...]
    key: tuple[str, ...]
    other_keys: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def styles(self) -> Mapping[str, str]:
        """The style of each field, by name."""
        return {each.column.name: each.style for each in self.fields}


def guess(source: Source, identifiers: Mapping[str, Identifier]) -> Guessed:
    """Find out types, identifiers and keys of a staged file."""
    fields = tuple(understood(source, each, identifiers) for each in source.columns)
    keys = list(keys_of(source, fields))
    if keys:
        return Guessed(fields=fields, key=keys[0], other_keys=tuple(keys[1:6]))
    note = "no column and no two tell its rows apart: the key is where a row stands in the file"
    return Guessed(fields=fields, key=(ROW_NUMBER,), notes=(note,))


def understood(source: Source, column: Column, identifiers: Mapping[str, Identifier]) -> Found:
    """One column with its type and what it may identify."""
    at = quoted(column.at)
    distinct, nulls = source.run(
        f"select count(distinct {at}), count(*) filter ({at} is null) from staged"
    )[0]
    counts = {"count_distinct": int(str(distinct)), "count_null": int(str(nulls))}
    if column.is_text:
        options = source.options
        found = guess_type(
            source.run, column.at, column.name, day_first=options.day_first, zone=options.time_zone
        )
        type_, style = found.type, found.style
        notes: tuple[str, ...] = (found.note,) if found.note else ()
    else:
        type_, notes = exact_type(column.sql_type)
        style = ""
    held = held_by(source, column, identifiers)
    named = {name for name in identifiers if is_alike(column.name, name)}
    sure = [name for name in held if name in named or is_telling(identifiers[name])]
    chosen = max(sure, key=lambda name: (name in named, name), default=None)
    if chosen is not None and type_.kind != "uuid":
        # The format is of text, and leading zeros count.
        type_, style, notes = FieldType(kind="string"), "", ()
    candidates = tuple(sorted((held | named) - {chosen}))
    return Found(
        column=column,
        type=type_,
        style=style,
        identifier=identifiers[chosen] if chosen else None,
        candidates=candidates,
        notes=notes,
        **counts,
    )


def exact_type(sql_type: str) -> tuple[FieldType, tuple[str, ...]]:
    """The type of a Parquet column; what we have no type for becomes text."""
    if sql_type in EXACT:
        return EXACT[sql_type], ()
    if sql_type.startswith("DECIMAL("):
        precision, scale = (int(each) for each in sql_type[8:-1].split(","))
        return FieldType(kind="decimal", precision=precision, scale=scale), ()
    if sql_type.startswith("ENUM("):
        return FieldType(kind="string"), ()
    return FieldType(kind="string"), (f"its {sql_type.partition('(')[0]} is kept as text",)


def held_by(
    source: Source, column: Column, identifiers: Mapping[str, Identifier]
) -> frozenset[str]:
    """The identifiers whose format every value of the column has."""
    formats = {name: one.format for name, one in identifiers.items() if one.format}
    text = f"cast({quoted(column.at)} as varchar)"
    fits = [
        f"count(*) filter (regexp_matches({text}, {literal(each)}))" for each in formats.values()
    ]
    try:
        count, *found = source.connection.execute(
            f"select {', '.join(['count(*)', *fits])} from staged where {text} <> ''"
        ).fetchall()[0]
    except duckdb.Error:  # a format that Python reads and RE2 does not
        if len(formats) == 1:
            return frozenset()
        each = [held_by(source, column, {name: identifiers[name]}) for name in formats]
        return frozenset().union(*each)
    held = zip(formats, found, strict=True)
    return frozenset(name for name, fitting in held if count and fitting == count)


def is_telling(identifier: Identifier) -> bool:
    """Whether a format is of one identifier alone: digits and uuids may be of anything."""
    return re.search(r"^\^(\\\+|[A-Z]|.*@)", str(identifier.format)) is not None


def is_alike(column: str, identifier: str) -> bool:
    """Whether a column is called as an identifier is, or nearly."""
    wanted = to_snake(identifier)
    if column == wanted or column.endswith(f"_{wanted}"):
        return True
    return difflib.SequenceMatcher(None, column, wanted).ratio() >= ALIKE


def keys_of(source: Source, fields: Sequence[Found]) -> Iterator[tuple[str, ...]]:
    """Columns that tell all rows apart, the likeliest first; pairs only where no column does."""
    whole = [each for each in fields if not each.count_null and each.type.kind not in NO_KEY]
    single = [each for each in whole if each.count_distinct == source.rows]
    # A time, an amount or a text may be told apart by chance; they are tried last.
    ranked = sorted(single, key=lambda each: (rank(each), fields.index(each)))
    yield from ((each.column.name,) for each in ranked)
    if ranked:
        return
    best = sorted(whole, key=lambda each: (rank(each), -each.count_distinct))[:PAIRED]
    for one, other in itertools.combinations(best, 2):
        if one.count_distinct * other.count_distinct >= source.rows and is_key(source, one, other):
            names = sorted((one, other), key=fields.index)
            yield tuple(each.column.name for each in names)
            return


def is_key(source: Source, one: Found, other: Found) -> bool:
    """Whether two columns together tell all rows apart."""
    pair = f"{quoted(one.column.at)}, {quoted(other.column.at)}"
    count = source.run(f"select count(*) from (select distinct {pair} from staged)")[0][0]
    return count == source.rows


def rank(found: Found) -> int:
    """How likely a column is meant to tell rows apart; less is likelier."""
    words = found.column.name.split("_")
    if found.identifier is not None and not found.identifier.is_personal:
        return 0
    if words[-1] in KEY_WORDS or found.type.kind == "uuid":
        return 1
    if found.identifier is not None:
        return 2
    return 3 if found.type.kind in ("int32", "int64") else 4
