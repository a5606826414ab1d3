"""Finds a person's messages among those of one topic, by the contract's personal marks.

    search = Search(whose, contract, registry.schema)
    hits = search.look(keys, values, times_ms)      # batch after batch, in order
    search.standing                                 # the keys whose last message is a row of theirs

Not here: whose an identifier is (`mesh.contract.whose`), reading topics and erasing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from mesh.backbone.avro import Decoder
from mesh.backbone.wire import HEADER_BYTES, Unreadable, unframe
from mesh.contract.model import Contract
from mesh.contract.questions import micros
from mesh.contract.whose import ALWAYS, Whose
from mesh.product.payloads import groups_in

__all__ = ["Hit", "Keys", "Raw", "SchemaOf", "Search", "Values"]

Keys: TypeAlias = Sequence[bytes | None]
Values: TypeAlias = Sequence[bytes | None]
SchemaOf = Callable[[int], Mapping[str, object] | None]
Row = Mapping[str, object]
# By convention of relation ports; else a row's time is its first instant that is required.
VALID_FROM = "valid_from"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message of the person: its *place* among those looked at; a row, or a tombstone of one."""

    place: int
    key: bytes
    is_row: bool


class Search:
    """Looks through one topic; without a *contract* every text of a row may be personal.

    Tombstones of *known* keys are the person's, though their rows are no longer there.
    """

    def __init__(
        self,
        whose: Whose,
        contract: Contract | None,
        schema_of: SchemaOf,
        known: Iterable[bytes] = (),
    ) -> None:
        self._whose, self.raw = whose, Raw(whose, schema_of)
        self._contract = contract
        self._values = pa.array(sorted(whose.values), pa.string())
        # The keys of their rows, and whether the last message of each is one still.
        self._keys: dict[bytes, bool] = dict.fromkeys(known, False)

    @property
    def standing(self) -> list[bytes]:
        """The keys whose last message is a row of the person."""
        return [key for key, is_row in self._keys.items() if is_row]

    def look(self, keys: Keys, values: Values, times_ms: Sequence[int]) -> list[Hit]:
        """The person's among the next messages, in order."""
        rows = self.theirs(keys, values, times_ms)
        hits = []
        for place, key_ in enumerate(keys):
            key, is_row = key_ or b"", place in rows
            is_known = key in self._keys
            if is_row or (
                values[place] is None and (is_known or self._is_named(key, times_ms[place]))
            ):
                self._keys[key] = is_row
                hits.append(Hit(place=place, key=key, is_row=is_row))
            elif is_known and values[place] is not None:
                # The key has come to be somebody else's.
                del self._keys[key]
        return hits

    def _is_named(self, key: bytes, time_ms: int) -> bool:
        """Whether a tombstone, whose row is no longer there, names the person by its key."""
        texts = self._whose.found_in(key.decode("utf-8", "replace"))
        return self._whose.has(texts, time_ms * 1000)

    def theirs(self, keys: Keys, values: Values, times_ms: Sequence[int]) -> set[int]:
        """The places of the messages whose rows are the person's."""
        found, read = set(), set()
        for places, table in self.raw.tables(values):
            read.update(places)
            for number in pc.indices_nonzero(self._mentions(table)).to_pylist():
                row, place = row_of(table.slice(number, 1)), places[number]
                texts = [str(row[each]) for each in self._columns(table)]
                if self._whose.has(texts, instant_of(self._contract, row, times_ms[place])):
                    found.add(place)
        for place, value in enumerate(values):
            if value is not None and place not in read:
                found |= (
                    {place} if self.raw.is_theirs(self._contract, keys[place], value) else set()
                )
        return found

    def _mentions(self, table: pa.Table) -> pa.Array:
        """Which rows of *table* have one of the identifiers in a personal field."""
        mask = pa.repeat(pa.scalar(False), table.num_rows)
        for name in self._columns(table):
            mask = pc.or_(mask, pc.is_in(table[name], self._values).combine_chunks())
        return mask

    def _columns(self, table: pa.Table) -> list[str]:
        """The columns of text that may be personal."""
        texts = [each.name for each in table.schema if pa.types.is_string(each.type)]
        if self._contract is None:
            return texts
        personal = {each.name for each in self._contract.fields if each.is_personal}
        return [each for each in texts if each in personal]


class Raw:
    """Reads messages of any schema, and bytes that are none."""

    def __init__(self, whose: Whose, schema_of: SchemaOf) -> None:
        self._whose, self._schema_of = whose, schema_of
        self._decoders: dict[int, Decoder | None] = {}

    def tables(self, values: Values) -> Iterator[tuple[list[int], pa.Table]]:
        """Those of *values* that can be read as rows, by their writer's schema, with places."""
        found = pa.array(values, pa.binary())
        for group in groups_in(pa.nulls(len(found), pa.binary()), found, {}):
            decoder = self._decoder(group.schema_id)
            if decoder is None:
                continue
            decoded = decoder.decode(group.values, skip=HEADER_BYTES)
            places = group.places[decoded.good] if decoded.bad else group.places
            if len(places):
                yield [int(each) for each in places], decoded.table

    def is_theirs(self, contract: Contract | None, key: bytes | None, value: bytes | None) -> bool:
        """Whether bytes that are no good message mention the person.

        They may be a row all the same, by its schema or as JSON: then its own time counts.
        """
        row = self._row(value or b"")
        if row is not None:
            texts = [each for each in row.values() if isinstance(each, str)]
            texts += self._whose.found_in("\n".join(texts))
            return self._whose.has(texts, instant_of(contract, row, None))
        return self._whose.has(self._whose.found_in((key or b"") + b"\0" + (value or b"")), None)

    def _row(self, value: bytes) -> Row | None:
        if not isinstance(unframe(value), Unreadable):
            for _, table in self.tables([value]):
                return row_of(table)
        try:
            document = json.loads(value)
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

    def _decoder(self, schema_id: int) -> Decoder | None:
        if schema_id not in self._decoders:
            schema = self._schema_of(schema_id)
            self._decoders[schema_id] = None if schema is None else Decoder(schema)
        return self._decoders[schema_id]


def row_of(table: pa.Table) -> Row:
    """The texts of the one row of *table*, and its instants in microseconds.

    As numbers, since what is no good message may say the year 300000.
    """
    row: dict[str, object] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type):
            row[name] = column[0].as_py()
        elif pa.types.is_timestamp(column.type):
            row[name] = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())[0].as_py()
    return row


def instant_of(contract: Contract | None, row: Row, time_ms: int | None) -> int | None:
    """A row's own time: from when it is valid, or its first instant; else the message's.

    None where it has one that cannot be read.
    """
    name = moment_field(contract, row)
    if name is None:
        return None if time_ms is None else time_ms * 1000
    value = row.get(name)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return micros(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, int):
        return value
    return ALWAYS if value is None and name == VALID_FROM else None


def moment_field(contract: Contract | None, row: Row) -> str | None:
    """The field that says when a row is about."""
    if VALID_FROM in row:
        return VALID_FROM
    if contract is not None:
        of_time = [each for each in contract.fields if each.type.kind == "timestamp"]
        return next((each.name for each in of_time if each.is_required), None)
    # Of texts and instants alone these are the numbers.
    return next((name for name, each in row.items() if isinstance(each, int)), None)
