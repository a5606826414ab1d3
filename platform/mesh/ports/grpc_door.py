"""gRPC over a product's ports: a server of its own beside the HTTP door, with reflection.

    mesh.call_center.calls.Rows/Read (Question) → stream of Batch   (authorization: Bearer TOKEN)

The same questions get the same rows by the same rights as in REST. Not here: the messages
(`grpc_messages`), who may read what (`door`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import grpc
import pyarrow as pa
from grpc_reflection.v1alpha import reflection

from mesh.errors import BackboneError, MeshError
from mesh.ports.door import Answer, Asked, Door
from mesh.ports.grpc_messages import Messages, messages_of, new_pool
from mesh.ports.question import ALL, Pairs
from mesh.ports.refusals import status_of

__all__ = ["grpc_door"]

CALLS_AT_ONCE = 16
LARGEST_QUESTION = 64 * 1024
# Clients take 4 MB at once unless they are told otherwise.
MOST_ROWS, MOST_BYTES = 1000, 1024 * 1024
# A whole port is sent within these two: the storage remembers for it what is gone. So a call has
# five minutes at least, whoever is slow to read ten at most.
AGE_MS = 300_000
OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_QUESTION),
    ("grpc.max_send_message_length", -1),
    # Or two servers could listen at one port, each with a part of the calls.
    ("grpc.so_reuseport", 0),
)
CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}


@contextmanager
def grpc_door(
    door: Door, product: str, *, host: str, port: int, age_ms: int = AGE_MS
) -> Iterator[int]:
    """Serve *door* for the time of a block; the port that it listens at, any free one for 0.

    Raises `BackboneError` where it cannot listen there.
    """
    pool = new_pool()
    ages = [("grpc.max_connection_age_ms", age_ms), ("grpc.max_connection_age_grace_ms", age_ms)]
    with ThreadPoolExecutor(CALLS_AT_ONCE) as threads:
        server = grpc.server(
            threads, options=[*OPTIONS, *ages], maximum_concurrent_rpcs=CALLS_AT_ONCE
        )
        services = [reflection.SERVICE_NAME]
        for name, contract in door.contracts.items():
            messages = messages_of(contract, pool)
            server.add_generic_rpc_handlers(
                [handler(messages, partial(read, door, name, messages))]
            )
            services.append(messages.service)
        reflection.enable_server_reflection(services, server, pool=pool)
        try:
            bound = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise BackboneError(
                f"{product} cannot listen on {host}:{port} for gRPC: set MESH_GRPC_PORT to a free "
                "port, or to 0 for any"
            ) from error
        server.start()
        try:
            yield bound
        finally:
            server.stop(None).wait()


def handler(messages: Messages, answer: Any) -> Any:
    """The one method of a service."""
    method = grpc.unary_stream_rpc_method_handler(
        answer,
        request_deserializer=messages.question.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )
    return grpc.method_handlers_generic_handler(messages.service, {"Read": method})


def read(
    door: Door, port: str, messages: Messages, question: Any, context: grpc.ServicerContext
) -> Iterator[Any]:
    """The batches of an answer, the first with its offsets and the cursor of the next page."""
    metadata = dict(context.invocation_metadata())
    token = metadata.get("authorization", "").removeprefix("Bearer ")
    try:
        answer = door.answer(Asked(token=token, port=port, pairs=pairs_of(question)))
        with closing(answer):
            yield first(answer, messages.batch)
            for batch in answer.batches or ():
                for start in range(0, batch.num_rows, MOST_ROWS):
                    rows = batch.slice(start, MOST_ROWS)
                    yield from sized(messages, rows)
    except MeshError as error:
        context.abort(CODES[status_of(error)], str(error))


def pairs_of(question: Any) -> Pairs:
    """A question as the parameters of REST; without a limit it asks for every row."""
    limit = str(question.limit) if question.HasField("limit") else ALL
    pairs = [("limit", limit)]
    pairs += [("fields", ",".join(question.fields))] if question.fields else []
    pairs += [("cursor", question.cursor)] if question.HasField("cursor") else []
    for each in question.where:
        pairs += [(f"{each.field}.{each.operator or 'eq'}", value) for value in each.values]
    return pairs


def first(answer: Answer, batch: Any) -> Any:
    """What goes with the rows."""
    return batch(offsets=[*answer.notes.places()], next=answer.notes.next)


def sized(messages: Messages, rows: pa.RecordBatch) -> Iterator[Any]:
    """*rows* as one message, or as several where that would be too large for clients."""
    message = messages.filled(rows)
    if message.ByteSize() <= MOST_BYTES or rows.num_rows == 1:
        yield message
        return
    half = rows.num_rows // 2
    yield from sized(messages, rows.slice(0, half))
    yield from sized(messages, rows.slice(half))
