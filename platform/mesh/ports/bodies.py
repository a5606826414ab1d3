"""Bounds what a door takes in with one request, whoever sends it: a body is read before a token is.

Not here: what a body may say, but that it is JSON.
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mesh.errors import WrongUse

__all__ = ["Bounded", "body_of", "json_of"]


class Bounded:
    """An application whose requests have bodies of *limit* bytes at most."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what reads too long a body is told so by `WrongUse`."""
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise WrongUse(f"send no more than {self._limit:,} bytes at once")
            return message

        await self._app(scope, bounded, send)


async def body_of(request: Request, limit: int) -> bytes:
    """A body of at most *limit* bytes. Raises `WrongUse`, and reads no more, where it is longer."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise WrongUse(f"send no more than {limit:,} bytes at once")
    return bytes(body)


def json_of(text: str | bytes) -> object:
    """What *text* says as JSON (RFC 8259). Raises `ValueError` where it is none.

    Python also reads NaN and Infinity, which are none, and half a character, which JSON can
    escape, though it is no text in UTF-8, not even in a refusal.
    """
    try:
        found: object = json.loads(text, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number of JSON")
