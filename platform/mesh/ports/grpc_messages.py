"""Protocol Buffers of a port, made from its contract when the door opens: no file, no compiler.

    package mesh.call_center.calls;
    service Rows { rpc Read (Question) returns (stream Batch); }

The number of a field is made from its name, so that a later minor version with one field more
keeps the numbers of the others. Not here: the server (`grpc_door`).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from mesh.contract.field_type import FieldType, Part
from mesh.contract.model import Contract
from mesh.ports.values import json_value

__all__ = ["ITEMS", "VALUE", "Messages", "is_wrapped", "messages_of", "new_pool", "package_of"]

Type = FieldDescriptorProto
TIMESTAMP = ".google.protobuf.Timestamp"
SCALARS = {
    "string": Type.TYPE_STRING,
    "uuid": Type.TYPE_STRING,
    "int32": Type.TYPE_INT32,
    "int64": Type.TYPE_INT64,
    "float32": Type.TYPE_FLOAT,
    "float64": Type.TYPE_DOUBLE,
    # No digit is lost in text, and Protocol Buffers have no type for these.
    "decimal": Type.TYPE_STRING,
    "date": Type.TYPE_STRING,
    "boolean": Type.TYPE_BOOL,
}
# A list and what may be null in one are messages, since `repeated` knows no null.
ITEMS, VALUE = "items", "value"
# The numbers that Protocol Buffers allow: 29 bits, without those that they keep for themselves.
MOST_NUMBER = 2**29 - 1
RESERVED = range(19_000, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """The messages of one port, and its *service*."""

    contract: Contract
    service: str
    question: Any
    batch: Any

    def filled(self, rows: pa.RecordBatch) -> Any:
        """The message of some rows."""
        types = {each.name: each.type for each in self.contract.fields}
        names = rows.schema.names
        columns = [
            [value_of(types[name], value) for value in column.to_pylist()]
            for name, column in zip(names, rows.columns, strict=True)
        ]
        return self.batch(
            rows=[dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        )


def new_pool() -> DescriptorPool:
    """A pool for the messages of a product."""
    pool = DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    return pool


def messages_of(contract: Contract, pool: DescriptorPool) -> Messages:
    """The messages of the port of *contract*, which *pool* describes from now on."""
    package = package_of(contract)
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    file.dependency.append(timestamp_pb2.DESCRIPTOR.name)
    add_common(file)
    row = add_message(file.message_type, f".{package}", "Row", parts_of(contract))
    batch = file.message_type.add(name="Batch")
    add_field(batch, "rows", row, 1, is_list=True)
    add_field(batch, "offsets", f".{package}.Offset", 2, is_list=True)
    add_field(batch, "next", Type.TYPE_STRING, 3, is_optional=True)
    file.service.add(name="Rows").method.add(
        name="Read",
        input_type=f".{package}.Question",
        output_type=f".{package}.Batch",
        server_streaming=True,
    )
    pool.AddSerializedFile(file.SerializeToString())
    return Messages(
        contract=contract,
        service=f"{package}.Rows",
        question=GetMessageClass(pool.FindMessageTypeByName(f"{package}.Question")),
        batch=GetMessageClass(pool.FindMessageTypeByName(f"{package}.Batch")),
    )


def package_of(contract: Contract) -> str:
    """The package of a port, which has its messages and nobody else's."""
    product, port = (name.replace("-", "_") for name in (contract.product, contract.port))
    return f"mesh.{product}.{port.replace('.', '_')}"


def add_common(file: FileDescriptorProto) -> None:
    """What all ports have in common: questions and offsets."""
    package = f".{file.package}"
    condition = file.message_type.add(name="Filter")
    add_field(condition, "field", Type.TYPE_STRING, 1)
    add_field(condition, "operator", Type.TYPE_STRING, 2)
    add_field(condition, "values", Type.TYPE_STRING, 3, is_list=True)
    question = file.message_type.add(name="Question")
    add_field(question, "where", f"{package}.Filter", 1, is_list=True)
    add_field(question, "fields", Type.TYPE_STRING, 2, is_list=True)
    add_field(question, "limit", Type.TYPE_INT32, 3, is_optional=True)
    add_field(question, "cursor", Type.TYPE_STRING, 4, is_optional=True)
    offset = file.message_type.add(name="Offset")
    add_field(offset, "topic", Type.TYPE_STRING, 1)
    add_field(offset, "partition", Type.TYPE_INT32, 2)
    add_field(offset, "offset", Type.TYPE_INT64, 3)


def parts_of(contract: Contract) -> list[Part]:
    """The fields of a row."""
    return [
        Part(name=each.name, type=each.type, is_required=each.is_required)
        for each in contract.fields
    ]


def add_message(messages: Any, scope: str, name: str, parts: Sequence[Part]) -> str:
    """Add a message of *parts* to *messages*; how it is called from elsewhere."""
    message = messages.add(name=name)
    full = f"{scope}.{name}"
    for part in parts:
        type_ = type_of(message, full, part.name, part.type)
        number = number_of(part.name, {each.number for each in message.field})
        add_field(message, part.name, type_, number, is_optional=not part.is_required)
    return full


def type_of(message: DescriptorProto, scope: str, name: str, type_: FieldType) -> int | str:
    """The type of a field, with the messages that it needs, which stand in that of the field."""
    if type_.kind == "timestamp":
        return TIMESTAMP
    if type_.kind == "struct":
        return add_message(message.nested_type, scope, name.capitalize(), type_.parts)
    if type_.kind == "list" and type_.item is not None:
        nested = message.nested_type.add(name=name.capitalize())
        full = f"{scope}.{nested.name}"
        if is_wrapped(type_.item):
            value = Part(name=VALUE, type=type_.item.type, is_required=type_.item.is_required)
            item: int | str = add_message(nested.nested_type, full, "Item", [value])
        else:
            item = type_of(nested, full, "item", type_.item.type)
        add_field(nested, ITEMS, item, 1, is_list=True)
        return full
    return int(SCALARS[type_.kind])


def is_wrapped(item: Part) -> bool:
    """Whether an item is in a message of its own."""
    return not item.is_required or item.type.kind == "list"


def add_field(
    message: DescriptorProto, name: str, type_: int | str, number: int, **is_: bool
) -> None:
    """Add a field, of a scalar or of the message that is called so: `is_list`, `is_optional`."""
    field = message.field.add(name=name, json_name=name, number=number, label=Type.LABEL_OPTIONAL)
    if isinstance(type_, str):
        field.type, field.type_name = Type.TYPE_MESSAGE, type_
    else:
        field.type = type_
    if is_.get("is_list"):
        field.label = Type.LABEL_REPEATED
    elif is_.get("is_optional"):
        field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")


def number_of(name: str, taken: Iterable[int]) -> int:
    """The number of the field *name*, in a message that has those of *taken*."""
    number = zlib.crc32(name.encode()) % MOST_NUMBER + 1
    while number in taken or number in RESERVED or number > MOST_NUMBER:
        number = number % MOST_NUMBER + 1
    return number


def value_of(type_: FieldType, value: Any) -> Any:
    """One value of a row as its message takes it."""
    if value is None:
        return None
    if type_.kind == "list" and type_.item is not None:
        item = type_.item
        items = [value_of(item.type, each) for each in value]
        return {ITEMS: [{VALUE: each} for each in items] if is_wrapped(item) else items}
    if type_.kind == "struct":
        return {each.name: value_of(each.type, value[each.name]) for each in type_.parts}
    return json_value(value) if type_.kind in ("decimal", "date") else value
