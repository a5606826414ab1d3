"""Building Arrow arrays from their parts, which pyarrow refuses or checks too strictly.

A null struct has nulls beneath it, even where a part is required; pyarrow's own constructors take
that for an error. Imported only where tables are at hand, since it needs pyarrow.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "Mask",
    "as_typed",
    "list_array",
    "list_counts",
    "scatter",
    "struct_array",
    "to_mask",
    "valid_mask",
]

Mask = npt.NDArray[np.bool_]


def as_typed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return *table*, as DuckDB hands it out, in the types of *schema*; its columns by name.

    Unlike `pyarrow.Table.cast`, which refuses a part that is required of a record that is null.
    Raises `KeyError` for a column that is not there, `pyarrow.ArrowException` for a value that
    is not of its type, or null where one is required.
    """
    columns = [_typed(table[each.name].combine_chunks(), each.type) for each in schema]
    for field, column in zip(schema, columns, strict=True):
        if column.null_count and not field.nullable:
            raise pa.ArrowInvalid(f"{field.name} is required, and null")
    return pa.Table.from_arrays(columns, schema=schema)


def _typed(array: pa.Array, target: pa.DataType) -> pa.Array:
    if array.type.equals(target):
        return array
    if pa.types.is_struct(target):
        # A part of its own has no validity of its record, and of a slice the whole.
        parts = dict(zip((each.name for each in array.type), array.flatten(), strict=True))
        children = [_typed(parts[each.name], each.type) for each in target]
        return struct_array(target, len(array), children, valid_mask(array))
    if pa.types.is_list(target):
        items = _typed(array.flatten(), target.value_type)
        return list_array(target, list_counts(array), items, valid_mask(array))
    return array.cast(target)


def list_counts(array: pa.Array) -> npt.NDArray[np.int64]:
    """Return how many items each list has, none where it is null."""
    counts: npt.NDArray[np.int64] = (
        pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64()).to_numpy()
    )
    return counts


def list_array(
    type_: pa.DataType, counts: npt.NDArray[np.int64], items: pa.Array, valid: Mask | None = None
) -> pa.Array:
    """Return lists of *counts* items each, taken from *items* in order."""
    offsets = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    buffers = [_bitmap(valid), pa.py_buffer(offsets)]
    return pa.Array.from_buffers(type_, len(counts), buffers, children=[items])


def struct_array(
    type_: pa.DataType, count: int, children: list[pa.Array], valid: Mask | None = None
) -> pa.Array:
    """Return *count* structs of these children, each as long."""
    return pa.Array.from_buffers(type_, count, [_bitmap(valid)], children=children)


def scatter(values: pa.Array, mask: Mask) -> pa.Array:
    """Return *values*, in order, at the places of *mask*, and null at the others."""
    return values.take(pa.array(np.cumsum(mask) - 1, mask=~mask))


def valid_mask(array: pa.Array) -> Mask | None:
    """Return where *array* is not null, or None if it is nowhere null."""
    if not array.null_count:
        return None
    return to_mask(array.is_valid())


def to_mask(array: pa.Array) -> Mask:
    """Return a boolean array without nulls as numpy."""
    mask: Mask = array.to_numpy(zero_copy_only=False)
    return mask


def _bitmap(valid: Mask | None) -> pa.Buffer | None:
    return None if valid is None else pa.array(valid).buffers()[1]
