"""From the columns of a writer's schema to those of the reader's contract.

Not here: values (`mesh.contract.rules.fit` comes after, and finds nulls in required fields).
"""

from __future__ import annotations

import pyarrow as pa

from mesh.backbone.wire import Unreadable
from mesh.contract.arrays import list_array, list_counts, scatter, struct_array, valid_mask
from mesh.contract.model import Contract
from mesh.contract.types import arrow_schema

__all__ = ["project"]

_MICROS, _MILLIS = pa.timestamp("us", tz="UTC"), pa.timestamp("ms", tz="UTC")
_PROMOTIONS = {
    (pa.int32(), pa.int64()),
    (pa.int32(), pa.float64()),
    (pa.float32(), pa.float64()),
    (_MILLIS, _MICROS),
}


class _Differs(Exception):
    """The writer's columns cannot serve the reader's."""


def project(table: pa.Table, contract: Contract) -> pa.Table | Unreadable:
    """Return *table*, decoded with its writer's schema, in the columns of *contract*.

    Missing nullable fields become null, unknown ones are dropped, numbers are widened.
    What cannot be had this way is a reason, which holds for all messages of that schema.
    """
    target = arrow_schema(contract)
    try:
        columns = [
            _shape(table.column(field.name).combine_chunks(), field.type, field.name)
            if field.name in table.column_names
            else _absent(field, table.num_rows, field.name)
            for field in target
        ]
    except _Differs as differs:
        return Unreadable(f"the writer's schema does not serve {contract.id}: {differs}")
    return pa.Table.from_arrays(columns, schema=target)


def _absent(field: pa.Field, count: int, path: str) -> pa.Array:
    if not field.nullable:
        raise _Differs(f"it has no field {path}, which is required")
    return pa.nulls(count, field.type)


def _shape(array: pa.Array, target: pa.DataType, path: str) -> pa.Array:
    if array.type.equals(target):
        return array
    if pa.types.is_struct(target) and pa.types.is_struct(array.type):
        return _shape_struct(array, target, path)
    if pa.types.is_list(target) and pa.types.is_list(array.type):
        counts = list_counts(array)
        items = _shape(array.flatten(), target.value_type, f"{path}[]")
        return list_array(target, counts, items, valid_mask(array))
    if (array.type, target) in _PROMOTIONS or _is_wider_decimal(array.type, target):
        return array.cast(target)
    raise _Differs(f"its field {path} is {array.type}, not {target}")


def _shape_struct(array: pa.Array, target: pa.DataType, path: str) -> pa.Array:
    valid = valid_mask(array)
    present = array if valid is None else array.drop_null()
    names = [field.name for field in array.type]
    children = []
    for field in target:
        inner = f"{path}.{field.name}"
        child = (
            _shape(present.field(names.index(field.name)), field.type, inner)
            if field.name in names
            else _absent(field, len(present), inner)
        )
        children.append(child if valid is None else scatter(child, valid))
    return struct_array(target, len(array), children, valid)


def _is_wider_decimal(source: pa.DataType, target: pa.DataType) -> bool:
    if not (pa.types.is_decimal128(source) and pa.types.is_decimal128(target)):
        return False
    return bool(source.scale == target.scale and source.precision <= target.precision)
