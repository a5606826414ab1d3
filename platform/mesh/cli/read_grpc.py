"""`mesh read --through grpc`: the rows of a port by gRPC, as the document that REST gives.

What the messages are is asked of the server. Not here: the door (`mesh.ports.grpc_door`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from mesh.contract.field_type import FieldType, Part
from mesh.contract.model import Contract
from mesh.errors import MeshError, Refused, Unreachable, WrongUse
from mesh.ports.grpc_messages import ITEMS, VALUE, is_wrapped, package_of
from mesh.ports.question import question_of
from mesh.ports.values import json_value

__all__ = ["read_grpc"]

TIMEOUT_S = 300
# One row may be larger than what clients take by themselves.
OPTIONS = (("grpc.max_receive_message_length", -1),)
ERRORS: dict[grpc.StatusCode, type[MeshError]] = {
    grpc.StatusCode.UNAUTHENTICATED: Refused,
    grpc.StatusCode.PERMISSION_DENIED: Refused,
    grpc.StatusCode.INVALID_ARGUMENT: WrongUse,
}


def read_grpc(
    target: str,
    token: str,
    contract: Contract,
    limit: int | None,
    filters: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Columns, rows, offsets and cursor; every row, in no order, where *limit* is None."""
    names = question_of(contract, filters, "").fields
    fields = [each for each in contract.fields if each.name in names]
    where = []
    for name, text in filters:
        word, _, operator = name.partition(".")
        if name != "fields":
            where.append({"field": word, "operator": operator, "values": [text]})
    question = {"fields": names, "limit": limit, "where": where}
    rows: list[list[Any]] = []
    offsets: dict[str, dict[str, int]] = {}
    cursor = None
    for batch in batches(target, token, contract, question):
        for each in batch.offsets:
            offsets.setdefault(each.topic, {})[str(each.partition)] = each.offset
        cursor = batch.next if batch.HasField("next") else cursor
        rows += [
            [part_in(row, each.name, each.type, is_required=each.is_required) for each in fields]
            for row in batch.rows
        ]
    columns = [each.name for each in fields]
    return {"columns": columns, "offsets": offsets, "rows": rows, "next": cursor}


def batches(target: str, token: str, contract: Contract, question: dict[str, Any]) -> list[Any]:
    """What the server answers. Raises its refusals, and `Unreachable` where nobody answers."""
    name = f"{package_of(contract)}.Rows"
    try:
        with grpc.insecure_channel(target, OPTIONS) as channel:
            pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
            method = pool.FindServiceByName(name).methods_by_name["Read"]
            asked, told = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
            call = channel.unary_stream(
                f"/{name}/Read",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=told.FromString,
            )
            metadata = (("authorization", f"Bearer {token}"),)
            return list(call(asked(**question), metadata=metadata, timeout=TIMEOUT_S))
    except KeyError as error:
        raise Unreachable(f"{target} has no {name}: is it another product's?") from error
    except grpc.RpcError as error:
        raise ERRORS.get(error.code(), Unreachable)(f"{target}: {error.details()}") from error


def part_in(message: Any, name: str, type_: FieldType, *, is_required: bool) -> Any:
    """A field of a message as REST has it."""
    if not is_required and not message.HasField(name):
        return None
    return as_rest(type_, getattr(message, name))


def as_rest(type_: FieldType, value: Any) -> Any:
    """A value as REST has it."""
    if type_.kind == "timestamp":
        return json_value(value.ToDatetime(UTC))
    if type_.item is not None:
        return [item_in(type_.item, each) for each in getattr(value, ITEMS)]
    if type_.parts:
        return {
            each.name: part_in(value, each.name, each.type, is_required=each.is_required)
            for each in type_.parts
        }
    return json_value(value)


def item_in(item: Part, value: Any) -> Any:
    """An item of a list, out of its message where it has one."""
    if is_wrapped(item):
        return part_in(value, VALUE, item.type, is_required=item.is_required)
    return as_rest(item.type, value)
