"""The HTTP door of the SQL access point.

    POST   /sql?format=csv    SQL, or JSON {"sql": …, "parameters": […], "explain": true},
                              or {"query": NAME, "parameters": {…}}, whose text is not sent
    GET    /tables            what may be asked for
    DELETE /queries/ID        cancels; ID is what the query was sent with as Mesh-Query
    GET    /status /metrics

A query is stopped, too, when whoever asked closes the connection. Not here: answers
(`mesh.sql.desk`).
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.errors import WrongUse
from mesh.ports.bodies import json_of
from mesh.ports.formats import FORMATS, accepted
from mesh.ports.refusals import NotThere
from mesh.ports.stream import Streamed
from mesh.sql.asked import Answer, Asked
from mesh.sql.desk import Desk
from mesh.wiring.sql_figures import figures
from mesh.wiring.sql_named import NOTHING, Named

__all__ = ["sql_routes"]

Who = Callable[[str], str]
Status = Callable[[], Mapping[str, object]]
Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
Format = Annotated[str | None, Query(alias="format", pattern=f"^({'|'.join(FORMATS)})$")]
LONGEST_ID = 64
# Longer headers are refused by clients; JSON, Arrow and Parquet carry the offsets inside.
LONGEST_HEADER = 8192
# Beyond the time that a query may take; the worker's clock ends it before.
LONGEST_S = 120.0
# Those who wait for their turn hold a thread each, but none of those by which answers are sent.
MOST_WAITING = 200
DISCONNECTED_S = 0.2


def sql_routes(desk: Desk, who: Who, status: Status, named: Named = NOTHING) -> APIRouter:
    """The routes over *desk* and *named* queries; *who* tells whom a token speaks for."""
    router = APIRouter()
    waiting = anyio.CapacityLimiter(MOST_WAITING)

    @router.get("/status")
    def get_status() -> Mapping[str, object]:
        """Health, and how far behind the tables are."""
        return status()

    @router.get("/metrics")
    def get_metrics() -> Response:
        """The figures in the text format of Prometheus."""
        text, media = figures(desk, status())
        return Response(text, media_type=media)

    @router.get("/tables")
    def get_tables(login: Login) -> Mapping[str, object]:
        """The tables that may be asked for."""
        return {"tables": desk.tables(who(login.credentials))}

    @router.post("/sql")
    async def post_sql(request: Request, login: Login, form: Format = None) -> Response:
        """The answer to a query."""
        body = await request.body()
        asked = await asked_of(request, body, who(login.credentials), form, named)
        return respond(asked, await answered(request, desk, asked, waiting))

    @router.delete("/queries/{id_}")
    def delete_query(id_: str, login: Login) -> Mapping[str, object]:
        """Cancel a query of one's own."""
        if not desk.cancel(who(login.credentials), id_):
            raise NotThere(f"no query {id_[:LONGEST_ID]} of yours runs")
        return {"id": id_, "state": "cancelled"}

    return router


async def asked_of(
    request: Request, body: bytes, principal: str, form: str | None, named: Named
) -> Asked:
    """The query in a request. Raises `WrongUse` where there is none."""
    form = form or accepted(request.headers.get("accept", ""))
    try:
        text = body.decode()
        is_json = "json" in request.headers.get("content-type", "")
        document: Any = json_of(text) if is_json else {"sql": text}
        is_named = "query" in document
        sql = document["query" if is_named else "sql"]
        parameters = document.get("parameters", {} if is_named else [])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WrongUse('send SQL as text, or JSON as {"sql": "…", "parameters": […]}') from error
    if not isinstance(sql, str) or not isinstance(parameters, list | dict):
        raise WrongUse("`sql` is text, `parameters` a list or an object")
    promise = None
    if is_named:
        if {"sql", "explain"} & {*document} or not isinstance(parameters, dict):
            raise WrongUse('a named query is asked as {"query": "name", "parameters": {…}}')
        # Values are judged in SQL, for which no other request should wait.
        found = await anyio.to_thread.run_sync(named.asked, principal, sql, parameters)
        sql, parameters, promise = found
    id_ = request.headers.get("mesh-query") or secrets.token_hex(8)
    return Asked(
        principal=principal,
        sql=sql,
        parameters=parameters,
        is_plan=bool(document.get("explain")),
        format=form,
        id=id_[:LONGEST_ID],
        promise=promise,
    )


async def answered(
    request: Request, desk: Desk, asked: Asked, waiting: anyio.CapacityLimiter
) -> Answer:
    """The answer, unless whoever asked goes away: then its query is stopped."""
    call = anyio.to_thread.run_sync(desk.answer, asked, limiter=waiting)
    task = asyncio.ensure_future(call)
    while not task.done():
        await asyncio.wait([task], timeout=DISCONNECTED_S)
        if not task.done() and await request.is_disconnected():
            desk.cancel(asked.principal, asked.id)
    return await task


def respond(asked: Asked, answer: Answer) -> Response:
    """An answer, as it comes."""
    headers = {
        "Mesh-Query": asked.id,
        "Mesh-Cache": answer.cache,
        "Age": str(int(answer.age_s)),
        "Cache-Control": "private, no-store",
        "Vary": "Accept, Authorization",
    }
    offsets = json.dumps(answer.offsets, separators=(",", ":"))
    if len(offsets) <= LONGEST_HEADER:
        headers["Mesh-Offsets"] = offsets
    if answer.cache == "hit":
        return Response(b"".join(answer.pieces), headers=headers, media_type=FORMATS[asked.format])
    return Streamed(
        answer.pieces,
        answer.close,
        headers=headers,
        media_type=FORMATS[asked.format],
        longest_s=LONGEST_S,
    )
