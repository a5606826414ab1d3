"""The HTTP application of a product: rows of its ports, and what it says of itself.

    GET  /ports/calls/rows?queue=billing&limit=10     (Authorization: Bearer TOKEN)
    GET  /ports/calls/rows/KEY
    POST /graphql
    GET  /status /discoverability /observability /observability/lineage /metrics /dictionary
    GET  /control /openapi.json
    POST /control/pause /control/resume /control/rewrite

Not here: who may read what (`door`), the documents of the management ports (`management`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.errors import MeshError, WrongUse
from mesh.ports.at_least import HEADER, wait_for
from mesh.ports.bodies import body_of, json_of
from mesh.ports.door import Answer, Asked, Door
from mesh.ports.formats import FORMATS
from mesh.ports.graphql_door import add_graphql
from mesh.ports.management import Management
from mesh.ports.openapi import openapi
from mesh.ports.refusals import answer_error
from mesh.ports.stream import Streamed

__all__ = ["door_app"]

# At the module's level, where FastAPI looks up what annotations name.
BEARER = HTTPBearer()
PERHAPS = HTTPBearer(auto_error=False)
Login = Annotated[HTTPAuthorizationCredentials, Depends(BEARER)]
PerhapsLogin = Annotated[HTTPAuthorizationCredentials | None, Depends(PERHAPS)]
# Longer headers are refused by clients; JSON, Arrow and Parquet carry the offsets inside.
LONGEST_HEADER = 8192
LONGEST_REASON = 500
LONGEST_BODY = 16 * 1024
# A whole port is sent within this time, since the storage remembers for it what is gone.
LONGEST_S = 300.0


def door_app(door: Door, management: Management) -> FastAPI:
    """The application of one product."""
    title = management.product.id
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(MeshError, answer_error)
    add_rows(app, door)
    add_graphql(app, door)
    add_documents(app, door, management)
    add_control(app, door, management)
    return app


def add_rows(app: FastAPI, door: Door) -> None:
    """REST over the output ports."""

    @app.get("/ports/{port}/rows")
    def get_rows(port: str, login: Login, request: Request) -> Response:
        """The rows of one port."""
        be_fresh(request, door, port, login)
        return respond(request, door.answer(asked(request, login, port)))

    @app.get("/ports/{port}/rows/{key:path}")
    def get_row(port: str, key: str, login: Login, request: Request) -> Response:
        """What one key has."""
        be_fresh(request, door, port, login)
        return respond(request, door.answer(asked(request, login, port, key)))


def add_documents(app: FastAPI, door: Door, management: Management) -> None:
    """What anybody on the machine may know."""

    @app.get("/status")
    def get_status() -> Mapping[str, object]:
        """Health, rows, lag and freshness."""
        return management.status()

    @app.get("/discoverability")
    def get_discoverability(request: Request) -> Mapping[str, object]:
        """What the product offers, where, and its contracts."""
        return management.discoverability(str(request.base_url).rstrip("/"))

    @app.get("/observability")
    def get_observability() -> Mapping[str, object]:
        """How the product does, in figures."""
        return management.observability()

    @app.get("/observability/lineage")
    def get_lineage() -> Mapping[str, object]:
        """What the product's runs read and wrote, as OpenLineage events."""
        return management.lineage()

    @app.get("/metrics")
    def get_metrics() -> Response:
        """The figures in the text format of Prometheus."""
        text, media = management.metrics()
        return Response(text, media_type=media)

    @app.get("/dictionary")
    def get_dictionary(login: PerhapsLogin) -> Mapping[str, object]:
        """Every field of every port, with its type, its meaning and samples."""
        return management.dictionary(login.credentials if login else None)

    @app.get("/openapi.json")
    def get_openapi() -> Mapping[str, object]:
        """The interface itself, made from the contracts."""
        return openapi(management.product, door.contracts)


def add_control(app: FastAPI, door: Door, management: Management) -> None:
    """What only the owner and the product itself may do, and whoever erases."""

    @app.get("/control")
    def get_control() -> Mapping[str, object]:
        """Whether the product is paused, by whom and why."""
        return management.control()

    @app.post("/control/pause")
    async def post_pause(login: Login, request: Request) -> Mapping[str, object]:
        """Take nothing in from the next batch on."""
        return management.pause(login.credentials, await reason_of(request))

    @app.post("/control/resume")
    def post_resume(login: Login) -> Mapping[str, object]:
        """Go on where it was paused."""
        return management.resume(login.credentials)

    @app.post("/control/rewrite")
    def post_rewrite(login: Login) -> Mapping[str, object]:
        """Have the storage written anew after this batch, without what was deleted from it."""
        return management.rewrite(login.credentials)


def be_fresh(request: Request, door: Door, port: str, login: HTTPAuthorizationCredentials) -> None:
    """Wait for the offsets that the reader has seen elsewhere, if it may read at all."""
    if (text := request.headers.get(HEADER)) is not None:
        door.contract(port, login.credentials)
        wait_for(text, door.offsets)


def asked(
    request: Request, login: HTTPAuthorizationCredentials, port: str, key: str | None = None
) -> Asked:
    """A request for rows. Raises `WrongUse` where its query is no text."""
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError as error:
        raise WrongUse("the query is not UTF-8: escape each byte of its text with %") from error
    return Asked(
        token=login.credentials,
        port=port,
        pairs=request.query_params.multi_items(),
        key=key,
        accept=request.headers.get("accept", ""),
        known=request.headers.get("if-none-match", ""),
    )


def respond(request: Request, answer: Answer) -> Response:
    """The HTTP response of an answer."""
    headers = headers_of(request, answer)
    if answer.batches is None:
        answer.close()
        return Response(None, 304, headers)
    return Streamed(
        answer.pieces,
        answer.close,
        headers=headers,
        media_type=FORMATS[answer.format],
        longest_s=LONGEST_S,
    )


def headers_of(request: Request, answer: Answer) -> dict[str, str]:
    """What goes with rows in every format."""
    headers = {
        "ETag": answer.etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Authorization",
    }
    offsets = json.dumps(answer.notes.offsets, separators=(",", ":"))
    if len(offsets) <= LONGEST_HEADER:
        headers["Mesh-Offsets"] = offsets
    if answer.notes.next is not None:
        url = request.url.include_query_params(cursor=answer.notes.next)
        headers["Mesh-Next"] = answer.notes.next
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return headers


async def reason_of(request: Request) -> str:
    """The reason in a body of JSON, empty where there is none. Raises `WrongUse`."""
    body = await body_of(request, LONGEST_BODY)
    try:
        document = json_of(body or b"{}")
    except ValueError:
        document = None
    reason = document.get("reason", "") if isinstance(document, dict) else None
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise WrongUse(
            f'send nothing, or JSON as {{"reason": "…"}} of at most {LONGEST_REASON} characters'
        )
    return " ".join(reason.split())
