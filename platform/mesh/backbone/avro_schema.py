"""An Avro schema as a tree of nodes, each with its Arrow type: what the codec walks.

Not here: how a contract becomes an Avro schema (`mesh.contract.types`).
The source is the Avro 1.12 specification, https://avro.apache.org/docs/1.12.0/specification/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import fastavro
import pyarrow as pa
from fastavro.schema import SchemaParseException, UnknownType

from mesh.errors import BackboneError

__all__ = ["Node", "compile_record", "table_schema"]

MAX_DEPTH = 32
# What fastavro raises for what has not even the form of a schema.
MISSHAPEN = (AttributeError, KeyError, TypeError, ValueError)
MILLIS = pa.timestamp("ms", tz="UTC")
# What is an instant in microseconds, too.
MOST_MS = (2**63 - 1) // 1000

_PRIMITIVES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "bytes": pa.binary(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
}
# A logical type that is not listed is ignored, as the specification asks.
_LOGICAL: dict[tuple[str, str], pa.DataType] = {
    ("int", "date"): pa.date32(),
    ("long", "timestamp-micros"): pa.timestamp("us", tz="UTC"),
    ("long", "timestamp-millis"): MILLIS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place in a schema. *kind* is how its bytes are laid out, *arrow* what they become.

    *null_branch* is the position of null in the union, or -1 where a value must stand.
    """

    kind: str
    arrow: pa.DataType
    name: str = ""
    null_branch: int = -1
    children: tuple[Node, ...] = ()
    symbols: tuple[str, ...] = ()

    @property
    def is_nullable(self) -> bool:
        """Whether null may stand here."""
        return self.null_branch >= 0


def compile_record(schema: Mapping[str, object]) -> Node:
    """Return the tree of a record schema.

    Raises `BackboneError` for a schema that the mesh does not read: recursive, or one whose
    values may take no bytes (a message of ten bytes could then claim 2**60 of them).
    """
    node = _compile(_with_full_names(schema), "value", {}, MAX_DEPTH)
    if node.kind != "record" or node.is_nullable:
        raise BackboneError("the Avro schema is not a record: register one record for a topic")
    return node


def _with_full_names(schema: Mapping[str, object]) -> object:
    """*schema* with each name and reference in full, as its namespaces have it (Avro, Names)."""
    try:
        return fastavro.parse_schema({**schema})
    except (SchemaParseException, UnknownType, RecursionError, *MISSHAPEN) as error:
        raise BackboneError(f"this is no Avro schema: {error!r:.200}") from error


def table_schema(record: Node) -> pa.Schema:
    """Return the Arrow schema of a table of such records."""
    return pa.schema([_field(child, child.name) for child in record.children])


def _compile(schema: object, name: str, known: dict[str, object], depth: int) -> Node:
    if not depth:
        raise BackboneError(f"the Avro schema is recursive or nested more than {MAX_DEPTH} deep")
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return Node(kind=schema, arrow=_PRIMITIVES[schema], name=name)
        if schema in known:
            return _compile(known[schema], name, known, depth - 1)
        raise _unsupported(name, schema)
    if isinstance(schema, Mapping):
        return _compile_mapping(schema, name, known, depth)
    if isinstance(schema, Sequence):
        return _compile_union(schema, name, known, depth)
    raise _unsupported(name, schema)


def _compile_union(
    branches: Sequence[object], name: str, known: dict[str, object], depth: int
) -> Node:
    if len(branches) != 2 or "null" not in branches or branches[0] == branches[1]:
        raise _unsupported(name, "a union other than null and one type")
    null_branch = 0 if branches[0] == "null" else 1
    node = _compile(branches[1 - null_branch], name, known, depth - 1)
    if node.is_nullable:
        raise _unsupported(name, "a union in a union")
    return Node(
        kind=node.kind,
        arrow=node.arrow,
        name=name,
        null_branch=null_branch,
        children=node.children,
        symbols=node.symbols,
    )


def _compile_mapping(
    schema: Mapping[str, object], name: str, known: dict[str, object], depth: int
) -> Node:
    kind = schema.get("type")
    if kind in ("record", "enum"):
        known[str(schema.get("name"))] = schema
    if kind == "record":
        return _compile_fields(schema, name, known, depth)
    if kind == "enum" and isinstance(symbols := schema.get("symbols"), Sequence) and symbols:
        return Node(kind="enum", arrow=pa.string(), name=name, symbols=tuple(map(str, symbols)))
    if kind == "array":
        item = _compile(schema.get("items"), "item", known, depth - 1)
        return Node(kind="array", arrow=pa.list_(_field(item, "item")), name=name, children=(item,))
    if kind == "bytes" and schema.get("logicalType") == "decimal":
        return Node(kind="decimal", arrow=_decimal(schema, name), name=name)
    node = _compile(kind, name, known, depth - 1)
    arrow = _LOGICAL.get((node.kind, str(schema.get("logicalType"))), node.arrow)
    return Node(
        kind=node.kind, arrow=arrow, name=name, children=node.children, symbols=node.symbols
    )


def _compile_fields(
    schema: Mapping[str, object], name: str, known: dict[str, object], depth: int
) -> Node:
    fields = schema.get("fields")
    if not isinstance(fields, Sequence) or not fields:
        raise _unsupported(name, "a record without fields")
    children = tuple(_compile(f["type"], str(f["name"]), known, depth - 1) for f in fields)
    arrow = pa.struct([_field(child, child.name) for child in children])
    return Node(kind="record", arrow=arrow, name=name, children=children)


def _decimal(schema: Mapping[str, object], name: str) -> pa.DataType:
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if not isinstance(precision, int) or not isinstance(scale, int):
        raise _unsupported(name, "a decimal without precision")
    if not (1 <= precision <= 38 and 0 <= scale <= precision):
        raise _unsupported(name, f"decimal({precision},{scale})")
    return pa.decimal128(precision, scale)


def _field(node: Node, name: str) -> pa.Field:
    return pa.field(name, node.arrow, nullable=node.is_nullable)


def _unsupported(name: str, what: object) -> BackboneError:
    return BackboneError(
        f"field {name}: the mesh does not read {what!s:.80} in Avro (see docs/types.md)"
    )
