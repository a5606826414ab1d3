"""What of a request is needed before it is answered: who asks, and a body of bounded size.

Not here: what a principal may do (`api`, `lineage_routes`).
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from mesh.errors import Refused, WrongUse
from mesh.ports.bodies import body_of
from mesh.ports.refusals import NotKnown

__all__ = ["Check", "bounded_body", "speaker"]

Check = Callable[[str], str]


def speaker(request: Request, check: Check) -> str:
    """The principal of the request's token, by *check*. Raises `NotKnown` where there is none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotKnown("send a token: `Authorization: Bearer …`; `mesh token` makes one")
    try:
        return check(token.strip())
    except Refused as error:
        raise NotKnown(str(error)) from error


async def bounded_body(request: Request, limit: int) -> bytes | None:
    """The body of at most *limit* bytes, or None where it is larger, of which no more is read."""
    try:
        return await body_of(request, limit)
    except WrongUse:
        return None
