"""What a registered Avro schema promised, read back as the fields of a contract.

The other direction is `types.avro_schema`. Not here: schemas that no contract makes; they have
no fields in our words, and a registry judges them by its own rule.
"""

from __future__ import annotations

from collections.abc import Mapping

from mesh.contract.field_type import FieldType, Kind, Part
from mesh.contract.model import Field

__all__ = ["registered_fields"]

_KINDS: dict[tuple[str, object], Kind] = {
    ("string", None): "string",
    ("string", "uuid"): "uuid",
    ("int", None): "int32",
    ("int", "date"): "date",
    ("long", None): "int64",
    ("long", "timestamp-micros"): "timestamp",
    ("float", None): "float32",
    ("double", None): "float64",
    ("boolean", None): "boolean",
}


def registered_fields(schema: Mapping[str, object]) -> tuple[Field, ...] | None:
    """Return the fields of *schema*, or None where no contract could have made it."""
    try:
        parts = _parts(schema)
    except (KeyError, TypeError, ValueError):
        return None
    return tuple(Field(name=p.name, type=p.type, is_required=p.is_required) for p in parts)


def _parts(schema: object) -> tuple[Part, ...]:
    if not isinstance(schema, Mapping) or not isinstance(schema["fields"], list):
        raise TypeError("no record")
    return tuple(_part(str(one["name"]), one["type"]) for one in schema["fields"])


def _part(name: str, type_: object) -> Part:
    if isinstance(type_, list):
        null, inner = type_
        if null != "null":
            raise ValueError("a union of another kind")
        return Part(name=name, type=_type(inner), is_required=False)
    return Part(name=name, type=_type(type_), is_required=True)


def _type(type_: object) -> FieldType:
    if isinstance(type_, str):
        return FieldType(kind=_KINDS[type_, None])
    if not isinstance(type_, Mapping):
        raise TypeError("no type")
    kind = type_["type"]
    if kind == "record":
        return FieldType(kind="struct", parts=_parts(type_))
    if kind == "array":
        return FieldType(kind="list", item=_part("item", type_["items"]))
    if kind == "bytes" and type_["logicalType"] == "decimal":
        precision, scale = int(type_["precision"]), int(type_.get("scale", 0))
        return FieldType(kind="decimal", precision=precision, scale=scale)
    return FieldType(kind=_KINDS[str(kind), type_.get("logicalType")])
