"""Rows as JSON values: instants in RFC 3339 as in keys, decimals as text so that no digit is lost.

What JSON has no number for is text too, as in the JSON form of Protocol Buffers.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["instant_text", "json_rows", "json_value"]

# An instant of the years 0 to 9999, as Arrow writes it.
USUAL = r"^\d{4}-"
# DuckDB's infinities are the ends of what 64 bits hold (`-` is one more than the least).
INFINITE = {
    f"<value out of range: {2**63 - 1}>": "infinity",
    f"<value out of range: {1 - 2**63}>": "-infinity",
}


def json_rows(table: pa.Table) -> list[list[object]]:
    """The rows of *table*, each a list in the order of its columns."""
    columns = [json_column(column) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def json_column(column: pa.ChunkedArray) -> list[object]:
    """A column's values: as a whole where its type allows, since most rows have nothing else."""
    kind = column.type
    found: list[object]
    if pa.types.is_timestamp(kind):
        found = instant_text(column).to_pylist()
    elif pa.types.is_string(kind) or pa.types.is_integer(kind) or is_finite(column):
        found = column.to_pylist()
    else:
        found = [json_value(value) for value in column.to_pylist()]
    return found


def is_finite(column: pa.ChunkedArray) -> bool:
    """Whether these are numbers, each with a form in JSON."""
    if not pa.types.is_floating(column.type):
        return False
    return bool(pc.all(pc.is_finite(column), min_count=0).as_py())


def instant_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Instants as text, as `json_value` has each of them."""
    text = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    if pc.all(pc.match_substring_regex(text, USUAL), min_count=0).as_py():
        return pc.binary_join_element_wise(pc.utf8_replace_slice(text, 10, 11, "T"), "Z", "")
    return pa.chunked_array([[None if one is None else far(one) for one in text.to_pylist()]])


def far(text: str) -> str:
    """An instant outside the years 0 to 9999, which RFC 3339 has no form for, as ISO 8601 has it.

    *text* is Arrow's, in which what is too far for it stands between `<` and `>`.
    """
    if text.startswith("<"):
        return INFINITE.get(text, text)
    sign = "" if text[0] == "-" or re.match(USUAL, text) else "+"
    return f"{sign}{text.replace(' ', 'T')}Z"


def json_value(value: object) -> object:
    """One value as JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")  # `str` turns to exponents when small
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return [json_value(each) for each in value]
    if isinstance(value, dict):
        return {name: json_value(each) for name, each in value.items()}
    return value if isinstance(value, str | int | float | None) else str(value)
