"""Lineage over HTTP: OpenLineage events come in, the edges and where they differ go out.

    POST /api/v1/lineage          one event, as any OpenLineage client sends it
    GET  /api/v1/lineage          every edge, and every difference
    GET  /api/v1/lineage?product=call-center
    GET  /api/v1/impact?field=call-center.calls.queue

Not here: what is made of an event (`lineage`).
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from catalog.answers import Problem
from catalog.asking import Check, bounded_body, speaker
from catalog.lineage import Book
from mesh.contract.impact import impact_of
from mesh.errors import WrongUse

__all__ = ["lineage_routes"]

MAX_BODY_BYTES = 1 << 20
EVENT_BODY: dict[str, Any] = {
    "security": [{"token": []}],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    },
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token speaks for nobody."},
    403: {"model": Problem, "description": "It says what only another may say."},
    413: {"model": Problem, "description": "Too large for an event."},
    422: {"model": Problem, "description": "No OpenLineage 2-0-2 event; `detail` says why."},
    503: {"model": Problem, "description": "Kafka does not answer."},
}

NO_FIELD: dict[int | str, dict[str, Any]] = {
    422: {"model": Problem, "description": "There is no such field."}
}


def lineage_routes(book: Book, check: Check) -> APIRouter:
    """The routes over *book*. *check* gives the principal of a token, or raises `Refused`."""
    routes = APIRouter()

    @routes.post("/api/v1/lineage", status_code=201, responses=REFUSALS, openapi_extra=EVENT_BODY)
    async def post_event(request: Request) -> JSONResponse:
        """Take in one event of whoever the token speaks for."""
        principal = await run_in_threadpool(speaker, request, check)
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            detail = f"an event has at most {MAX_BODY_BYTES:,} bytes"
            return JSONResponse({"detail": detail}, 413)
        count = await run_in_threadpool(book.take, parsed(body), principal)
        return JSONResponse({"taken": count, "by": principal}, 201)

    @routes.get("/api/v1/lineage")
    def get_lineage(product: str | None = None) -> dict[str, object]:
        """Every edge, declared and observed, and where the two differ."""
        return book.as_document(product)

    @routes.get("/api/v1/impact", responses=NO_FIELD)
    def get_impact(field: str) -> dict[str, object]:
        """What breaks if a field changes, and whom."""
        port, _, name = field.rpartition(".")
        lineage = book.lineage()
        return impact_of(lineage, lineage.ref(port, name)).as_document()

    return routes


def parsed(body: bytes) -> object:
    """The document in a body. Raises `WrongUse` where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WrongUse("the body is no JSON") from error
