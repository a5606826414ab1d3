"""A contract's row, and each of its types, as JSON Schema: how its values stand in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesh.contract.field_type import FieldType
from mesh.contract.model import Contract, Field

__all__ = ["Json", "object_of", "row_schema", "type_schema"]

Json = dict[str, Any]

SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "uuid": {"type": "string", "format": "uuid"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamp": {"type": "string", "format": "date-time"},
}
# JSON has no number for these.
NO_NUMBER = {"type": "string", "enum": ["NaN", "Infinity", "-Infinity"]}


def row_schema(contract: Contract) -> Json:
    """One row of a contract; in answers, its values stand in the order of `columns`."""
    properties = {each.name: field_schema(each) for each in contract.fields}
    return {**object_of(properties), "description": contract.description}


def object_of(properties: Mapping[str, Json]) -> Json:
    """An object that has these properties."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def field_schema(field: Field) -> Json:
    """One field."""
    schema = type_schema(field.type, is_required=field.is_required)
    return schema | {
        name: value
        for name, value in {
            "description": field.description,
            "x-identifier": field.identifier,
            "x-personal": field.is_personal,
            "x-classification": field.classification,
        }.items()
        if value
    }


def type_schema(type_: FieldType, *, is_required: bool) -> Json:
    """A type as its values stand in JSON."""
    if type_.kind == "list" and type_.item is not None:
        item = type_schema(type_.item.type, is_required=type_.item.is_required)
        schema: Json = {"type": "array", "items": item}
    elif type_.kind == "struct":
        schema = object_of(
            {
                each.name: type_schema(each.type, is_required=each.is_required)
                for each in type_.parts
            }
        )
    elif type_.kind == "decimal":
        places = rf"\.[0-9]{{{type_.scale}}}" if type_.scale else ""
        schema = {"type": "string", "pattern": f"^-?[0-9]{{1,38}}{places}$"}
    elif type_.kind in ("float32", "float64"):
        nothing = [] if is_required else [{"type": "null"}]
        return {"anyOf": [{"type": "number"}, NO_NUMBER, *nothing]}
    else:
        schema = dict(SCALARS[type_.kind])
    return schema if is_required else schema | {"type": [schema["type"], "null"]}
