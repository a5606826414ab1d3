"""Columns as CSV has them: the texts of `values` where Arrow's own writer has others, or none."""

from __future__ import annotations

import json

import pyarrow as pa

from mesh.ports.values import instant_text, json_value

__all__ = ["as_text"]

# What Arrow's writer has in the same words.
AS_IT_IS = (
    pa.types.is_string,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_null,
)


def as_text(table: pa.Table) -> pa.Table:
    """*table* with every column that CSV would change or cannot hold as text."""
    # Not by name: two columns of an answer may have the same.
    columns = [column(each) for each in table.columns]
    return pa.Table.from_arrays(columns, names=table.column_names)


def column(given: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """One column."""
    kind = given.type
    if pa.types.is_timestamp(kind):
        return instant_text(given)
    if pa.types.is_nested(kind):
        return texts([None if each is None else nested(each) for each in given.to_pylist()])
    if any(is_of(kind) for is_of in AS_IT_IS):
        return given
    return texts([None if each is None else str(json_value(each)) for each in given.to_pylist()])


def nested(value: object) -> str:
    """A list or a record as JSON."""
    return json.dumps(json_value(value), ensure_ascii=False)


def texts(values: list[str | None]) -> pa.Array:
    """A column of text."""
    return pa.array(values, pa.string())
