"""The type of one field as a value, and how an ODCS property becomes one.

Not here: what each type is in Avro, Arrow and DuckDB (`types`).

    parse_type({"logicalType": "number", "physicalType": "decimal(12,2)"})
    # FieldType(kind='decimal', precision=12, scale=2, …)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["FieldType", "Kind", "Part", "TypeProblem", "parse_type"]

Kind: TypeAlias = Literal[
    "string", "uuid", "int32", "int64", "float32", "float64", "decimal",
    "boolean", "date", "timestamp", "list", "struct",
]  # fmt: skip

MAX_DEPTH = 16
MAX_PRECISION = 38  # of Arrow's decimal128 and of DuckDB's DECIMAL

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DECIMAL = re.compile(r"(?:decimal|numeric)\s*\(\s*(\d{1,3})\s*(?:,\s*(\d{1,3})\s*)?\)", re.I)
_SCALARS: dict[tuple[str, str | None], Kind] = {
    ("string", "uuid"): "uuid",
    ("integer", None): "int64",
    ("integer", "i64"): "int64",
    ("integer", "i32"): "int32",
    ("number", None): "float64",
    ("number", "f64"): "float64",
    ("number", "f32"): "float32",
    ("boolean", None): "boolean",
}
# A physicalType says nothing new, except decimal's; one that contradicts is refused.
_PHYSICAL: dict[Kind, tuple[str, ...]] = {
    "string": ("VARCHAR", "STRING", "TEXT"),
    "uuid": ("UUID", "VARCHAR", "STRING"),
    "int32": ("INTEGER", "INT"),
    "int64": ("BIGINT", "LONG"),
    "float32": ("FLOAT",),
    "float64": ("DOUBLE",),
    "boolean": ("BOOLEAN",),
    "date": ("DATE",),
    "timestamp": ("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
}


class TypeProblem(Exception):
    """A property has no exact type in Avro, Arrow and DuckDB alike; *remedy* says what to write."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem} ({remedy})")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """One type. *item* is what a list holds, *parts* what a struct holds, else both are empty."""

    kind: Kind
    precision: int = 0
    scale: int = 0
    item: Part | None = None
    parts: tuple[Part, ...] = ()

    @property
    def is_nested(self) -> bool:
        """Whether this is a list or a struct."""
        return self.kind in ("list", "struct")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A field of a struct, or the item of a list (whose name is always `item`)."""

    name: str
    type: FieldType
    is_required: bool = False


def parse_type(given: Mapping[str, object]) -> FieldType:
    """Return the type of one ODCS property.

    Raises `TypeProblem` where the three worlds do not hold it exactly.
    """
    return _parse(given, MAX_DEPTH)


def _parse(given: Mapping[str, object], depth: int) -> FieldType:
    if not depth:
        raise TypeProblem(
            f"the type is nested more than {MAX_DEPTH} deep", "flatten it, or use a port of its own"
        )
    logical = given.get("logicalType")
    if logical == "array":
        return _parse_list(given, depth)
    if logical == "object":
        return _parse_struct(given, depth)
    physical = given.get("physicalType")
    if logical == "number" and str(physical).lower().startswith(("decimal", "numeric")):
        return _parse_decimal(str(physical))
    kind = _scalar_kind(logical, given)
    _check_physical(physical, kind)
    return FieldType(kind=kind)


def _scalar_kind(logical: object, given: Mapping[str, object]) -> Kind:
    options = given.get("logicalTypeOptions") or {}
    if not isinstance(options, Mapping):
        raise TypeProblem("logicalTypeOptions is not a mapping", "write it as `key: value` lines")
    if logical == "date":
        return "date"
    if logical == "timestamp":
        if options.get("timezone") is False:
            raise TypeProblem(
                "a timestamp without a time zone is not an instant",
                "leave `timezone` out: it is UTC",
            )
        return "timestamp"
    wanted = options.get("format")
    kind = _SCALARS.get((str(logical), None if wanted is None else str(wanted)))
    if kind is not None:
        return kind
    if logical == "string":
        return "string"  # formats such as email say what the text means, not what its type is
    if logical in ("integer", "number", "boolean"):
        raise TypeProblem(
            f"{logical} with format {wanted} has no type of its own here",
            "use i32 or i64 for integer, f32 or f64 for number, none for boolean",
        )
    raise TypeProblem(
        f"logicalType {logical} is not supported" if logical else "logicalType is missing",
        "use string, integer, number, boolean, date, timestamp, array or object",
    )


def _parse_decimal(physical: str) -> FieldType:
    found = _DECIMAL.fullmatch(physical.strip())
    if not found:
        raise TypeProblem(
            f"physicalType {physical} has no precision and scale", "write decimal(precision,scale)"
        )
    precision, scale = int(found[1]), int(found[2] or 0)
    if not (1 <= precision <= MAX_PRECISION and scale <= precision):
        raise TypeProblem(
            f"decimal({precision},{scale}) cannot be held exactly",
            f"use a precision of 1 to {MAX_PRECISION} and a scale not above it",
        )
    return FieldType(kind="decimal", precision=precision, scale=scale)


def _check_physical(physical: object, kind: Kind) -> None:
    if physical is not None and str(physical).strip().upper() not in _PHYSICAL[kind]:
        raise TypeProblem(
            f"physicalType {physical} does not fit {kind}",
            f"leave physicalType out, or write {_PHYSICAL[kind][0]}",
        )


def _parse_list(given: Mapping[str, object], depth: int) -> FieldType:
    items = given.get("items")
    if not isinstance(items, Mapping):
        raise TypeProblem("an array without items", "say under `items` what the array holds")
    return FieldType(
        kind="list",
        item=Part(
            name="item", type=_parse(items, depth - 1), is_required=items.get("required") is True
        ),
    )


def _parse_struct(given: Mapping[str, object], depth: int) -> FieldType:
    properties = given.get("properties")
    if not isinstance(properties, list) or not properties:
        # DuckDB has no empty STRUCT, and a record of no bytes lets a message claim any number.
        raise TypeProblem("an object without properties", "name at least one under `properties`")
    parts = tuple(_parse_part(one, depth) for one in properties)
    names = [part.name for part in parts]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise TypeProblem(f"an object names {repeated[0]} twice", "give each property its own name")
    return FieldType(kind="struct", parts=parts)


def _parse_part(given: object, depth: int) -> Part:
    if not isinstance(given, Mapping):
        raise TypeProblem("a property is not a mapping", "write `- name: …` and its logicalType")
    name = str(given.get("name"))
    if not _NAME.fullmatch(name):
        raise TypeProblem(
            f"{name!r} is not a name that Avro and SQL share", "use snake_case: a-z, 0-9 and _"
        )
    return Part(name=name, type=_parse(given, depth - 1), is_required=given.get("required") is True)
