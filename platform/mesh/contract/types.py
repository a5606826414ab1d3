"""The one table of types: what each field of a contract is in Avro, Arrow and DuckDB.

Not here: the codec (`mesh.backbone.avro`), row rules and the fit of values (`rules`).
The table with its limits, for whoever writes a contract: `docs/types.md`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from mesh.contract.field_type import FieldType, Kind, Part, TypeProblem, parse_type

if TYPE_CHECKING:
    import pyarrow as pa

    from mesh.contract.model import Contract

__all__ = [
    "FieldType",
    "Kind",
    "Part",
    "TypeProblem",
    "arrow_schema",
    "arrow_type",
    "avro_schema",
    "duckdb_columns",
    "duckdb_type",
    "parse_type",
]

_AVRO: dict[Kind, object] = {
    "string": "string",
    "uuid": {"type": "string", "logicalType": "uuid"},
    "int32": "int",
    "int64": "long",
    "float32": "float",
    "float64": "double",
    "boolean": "boolean",
    "date": {"type": "int", "logicalType": "date"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
}
_DUCKDB: dict[Kind, str] = {
    "string": "VARCHAR",
    "uuid": "UUID",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
}


def avro_schema(contract: Contract) -> dict[str, object]:
    """Return the Avro schema that is registered for the contract's topic.

    A nested record lives in the namespace of its path, so its name is unique and stable.
    """
    path = [re.sub(r"\W", "_", part) for part in contract.topic.split(".")[1:-1]]
    parts = tuple(
        Part(name=f.name, type=f.type, is_required=f.is_required) for f in contract.fields
    )
    return _avro_record(parts, tuple(path))


def arrow_schema(contract: Contract) -> pa.Schema:
    """Return the Arrow schema of the contract's rows."""
    import pyarrow as pa

    return pa.schema(
        [pa.field(f.name, arrow_type(f.type), nullable=not f.is_required) for f in contract.fields]
    )


def duckdb_columns(contract: Contract) -> tuple[tuple[str, str], ...]:
    """Return name and SQL type of each column of the contract's table."""
    return tuple((f.name, duckdb_type(f.type)) for f in contract.fields)


@cache
def arrow_type(type_: FieldType) -> pa.DataType:
    """Return the Arrow type; a uuid is text in canonical lower case."""
    import pyarrow as pa

    if type_.kind == "list" and type_.item:
        return pa.list_(_arrow_field(type_.item))
    if type_.kind == "struct":
        return pa.struct([_arrow_field(part) for part in type_.parts])
    if type_.kind == "decimal":
        return pa.decimal128(type_.precision, type_.scale)
    scalars: dict[str, pa.DataType] = {
        "uuid": pa.string(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }
    return scalars.get(type_.kind) or pa.type_for_alias(type_.kind)


def duckdb_type(type_: FieldType) -> str:
    """Return the SQL type in DuckDB."""
    if type_.kind == "list" and type_.item:
        return f"{duckdb_type(type_.item.type)}[]"
    if type_.kind == "struct":
        parts = (f'"{part.name}" {duckdb_type(part.type)}' for part in type_.parts)
        return f"STRUCT({', '.join(parts)})"
    if type_.kind == "decimal":
        return f"DECIMAL({type_.precision},{type_.scale})"
    return _DUCKDB[type_.kind]


def _avro_record(parts: tuple[Part, ...], path: tuple[str, ...]) -> dict[str, object]:
    fields: list[dict[str, object]] = []
    for part in parts:
        field: dict[str, object] = {
            "name": part.name,
            "type": _avro_nullable(part, (*path, part.name)),
        }
        fields.append(field if part.is_required else field | {"default": None})
    name = path[-1]
    return {
        "type": "record",
        "name": name[:1].upper() + name[1:],
        "namespace": ".".join(path[:-1]),
        "fields": fields,
    }


def _avro_nullable(part: Part, path: tuple[str, ...]) -> object:
    type_ = part.type
    avro: object
    if type_.kind == "list" and type_.item:
        avro = {"type": "array", "items": _avro_nullable(type_.item, path)}
    elif type_.kind == "struct":
        avro = _avro_record(type_.parts, path)
    elif type_.kind == "decimal":
        avro = {
            "type": "bytes",
            "logicalType": "decimal",
            "precision": type_.precision,
            "scale": type_.scale,
        }
    else:
        avro = _AVRO[type_.kind]
    return avro if part.is_required else ["null", avro]


def _arrow_field(part: Part) -> pa.Field:
    import pyarrow as pa

    return pa.field(part.name, arrow_type(part.type), nullable=not part.is_required)
