"""Casts a table to a contract's types; each value that does not fit becomes a violation.

Not here: the promises beyond types (`rules`). Reached through `rules.fit`, which imports this
module late because it needs pyarrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from mesh.contract.arrays import list_array, list_counts, scatter, struct_array, to_mask, valid_mask
from mesh.contract.casting import can_become, cast_values, words
from mesh.contract.model import Contract
from mesh.contract.rules import Fitted, Violation, quoted
from mesh.contract.types import FieldType, Part, arrow_schema, arrow_type
from mesh.errors import MeshError

__all__ = ["fit_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Misfit:
    """A value at *place* that does not fit."""

    place: int
    field: str
    rule: str
    reason: str
    value: str | None = None


def fit_table(table: pa.Table, contract: Contract) -> Fitted:
    """Do what `mesh.contract.rules.fit` says."""
    _check_names(table.column_names, [f.name for f in contract.fields], "the result")
    arrays, misfits = [], list[_Misfit]()
    for field in contract.fields:
        part = Part(name=field.name, type=field.type, is_required=field.is_required)
        column = table.column(field.name).combine_chunks()
        array, found = _fit(column, part, field.name)
        arrays.append(array)
        misfits += [replace(one, value=None) for one in found] if field.is_personal else found
    fitted = pa.Table.from_arrays(arrays, schema=arrow_schema(contract))
    if not misfits:
        return Fitted(table=fitted, good=range(table.num_rows), violations=[])
    keep = np.ones(table.num_rows, np.bool_)
    keep[[misfit.place for misfit in misfits]] = False
    return Fitted(
        table=fitted.filter(pa.array(keep)),
        good=np.flatnonzero(keep).tolist(),
        violations=[_violation(one) for one in sorted(misfits, key=lambda one: one.place)],
    )


def _violation(misfit: _Misfit) -> Violation:
    quote = "" if misfit.value is None else f"; it is {quoted(misfit.value)}"
    return Violation(
        row=misfit.place, field=misfit.field, rule=misfit.rule, reason=misfit.reason + quote
    )


def _check_names(given: Sequence[str], wanted: Sequence[str], where: str) -> None:
    if missing := [name for name in wanted if name not in given]:
        raise MeshError(f"{where} has no column {', '.join(missing)}: select it under that name")
    if unknown := [name for name in given if name not in wanted]:
        raise MeshError(f"{where} has a column {', '.join(unknown)} the contract does not know")


def _fit(array: pa.Array, part: Part, path: str) -> tuple[pa.Array, list[_Misfit]]:
    target = arrow_type(part.type)
    if array.null_count == len(array):  # a bare null has whatever type SQL gives it
        array = pa.nulls(len(array), target)
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if not can_become(array.type, part.type.kind):
        raise MeshError(
            f"column {path} is {array.type}, the contract says {part.type.kind}: cast it in the SQL"
        )
    if part.type.kind == "list" and part.type.item:
        fitted, misfits = _fit_list(array, part.type.item, target, path)
    elif part.type.kind == "struct":
        fitted, misfits = _fit_struct(array, part.type, target, path)
    else:
        fitted, misfits = _fit_scalar(array, part.type, path)
    if part.is_required and array.null_count:
        misfits += [
            _Misfit(
                place=place, field=path, rule="required", reason=f"{path} is required, and null"
            )
            for place in np.flatnonzero(~to_mask(array.is_valid())).tolist()
        ]
    return fitted, misfits


def _fit_list(
    array: pa.Array, item: Part, target: pa.DataType, path: str
) -> tuple[pa.Array, list[_Misfit]]:
    counts = list_counts(array)
    items, misfits = _fit(array.flatten(), item, f"{path}[]")
    ends = np.cumsum(counts)
    return list_array(target, counts, items, valid_mask(array)), [
        replace(one, place=int(np.searchsorted(ends, one.place, "right"))) for one in misfits
    ]


def _fit_struct(
    array: pa.Array, type_: FieldType, target: pa.DataType, path: str
) -> tuple[pa.Array, list[_Misfit]]:
    names = [field.name for field in array.type]
    _check_names(names, [part.name for part in type_.parts], f"column {path}")
    valid = valid_mask(array)
    present = array if valid is None else array.drop_null()
    children, misfits = [], list[_Misfit]()
    for part in type_.parts:
        child, found = _fit(present.field(names.index(part.name)), part, f"{path}.{part.name}")
        children.append(child if valid is None else scatter(child, valid))
        misfits += found
    if valid is not None:
        places = np.flatnonzero(valid)
        misfits = [replace(one, place=int(places[one.place])) for one in misfits]
    return struct_array(target, len(array), children, valid), misfits


def _fit_scalar(array: pa.Array, type_: FieldType, path: str) -> tuple[pa.Array, list[_Misfit]]:
    fitted, wrong = cast_values(array, type_)
    places = [] if wrong is None else np.flatnonzero(wrong).tolist()
    return fitted, [
        _Misfit(
            place=place,
            field=path,
            rule="type",
            reason=f"{path} must be {words(type_)}",
            value=_text(array, place),
        )
        for place in places
    ]


def _text(array: pa.Array, place: int) -> str:
    return str(array.slice(place, 1).cast(pa.string())[0].as_py())
