"""The HTTP routes of a product that takes commands.

    GET  /commands                what there is to command
    POST /commands/port-number    {"phone_number": "+12025550123", …}
                                  (Authorization: Bearer TOKEN, Idempotency-Key: KEY)

Not here: accepting one (`desk`), and who may (`allow` is handed in).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.errors import WrongUse
from mesh.ports.bodies import json_of
from mesh.ports.commands import BadCommand, NotAccepted
from mesh.ports.desk import Asked, Desk

__all__ = ["command_routes"]

Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
KEY = "Idempotency-Key"
MOST_BYTES = 65_536


def command_routes(desk: Desk, allow: Callable[[str], str]) -> APIRouter:
    """The routes; *allow* tells whom a token speaks for, and raises for who may not command."""
    router = APIRouter()

    @router.get("/commands")
    def get_commands() -> Mapping[str, object]:
        """What there is to command, and what may be said of each."""
        return {"commands": [document_of(desk, name) for name in desk.commands]}

    @router.post("/commands/{name}")
    async def post_command(name: str, login: Login, request: Request) -> Response:
        """One command."""
        principal = await run_in_threadpool(allow, login.credentials)
        key, body = request.headers.get(KEY, ""), await body_of(request)
        if not 1 <= len(key) <= 100:
            raise WrongUse(f"send the header {KEY}, so that a command sent again is known as such")
        asked = Asked(command=name, body=body, key=key, principal=principal)
        try:
            return JSONResponse(await run_in_threadpool(desk.accept, asked))
        except (BadCommand, NotAccepted) as error:
            refusals = [{"field": each.field, "reason": each.reason} for each in error.refusals]
            status = 422 if isinstance(error, BadCommand) else 409
            return JSONResponse({"detail": str(error), "refusals": refusals}, status)

    return router


def document_of(desk: Desk, name: str) -> Mapping[str, object]:
    """One command as it is told."""
    command = desk.commands[name]
    fields = [
        {"name": each.name, "type": each.type.kind, "description": each.description}
        for each in command.fields
    ]
    return {"name": name, "description": command.about, "fields": fields}


async def body_of(request: Request) -> Mapping[str, object]:
    """The object of JSON that was sent. Raises `WrongUse`."""
    if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
        raise WrongUse(f"send at most {MOST_BYTES:,} bytes, and say how many")
    try:
        document = json_of(await request.body())
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise WrongUse('send an object of JSON, as {"contract_number": "…"}')
    return document
