"""Asks services of the mesh in the name of whoever is signed in, by that person's own token.

So a page may do what the person may, and no more. Whoever is away from the page ends what runs
for it. Not here: who is signed in (`login`), what pages make of the answers (`pages`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from fastapi import Request

from catalog.login import Person
from mesh.errors import MeshError, Refused, Unreachable, WrongUse
from mesh.ports.refusals import NotKnown, NotThere

__all__ = ["Services", "unless_gone"]

LONGEST = 4 << 20
TIMEOUT_S = 30.0
LOOK_S = 0.2
REFUSALS: Mapping[int, type[MeshError]] = {
    401: NotKnown,
    403: Refused,
    404: NotThere,
    422: WrongUse,
}
Told = tuple[Any, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services by their names; *address* says where each is."""

    address: Callable[[str], str | None]

    async def ask(
        self,
        person: Person,
        service: str,
        call: str,
        body: object = None,
        **options: Any,
    ) -> Told:
        """The JSON of an answer and its headers; *call* is a method and a path.

        Raises a `MeshError` in the service's own words where it refuses.
        """
        address = self.address(service)
        if address is None:
            raise Unreachable(f"the service {service} does not run here: `mesh status` says why")
        method, _, path = call.partition(" ")
        options["headers"] = {
            "Authorization": f"Bearer {person.token}",
            **options.get("headers", {}),
        }
        client = httpx.AsyncClient(
            trust_env=False, verify=certificates(), timeout=options.pop("timeout", TIMEOUT_S)
        )
        try:
            async with client, client.stream(method, address + path, json=body, **options) as said:
                document = json.loads(await whole(said))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"the service {service} does not answer: {error!r}") from error
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"the service {service} did not answer with JSON") from error
        if said.is_success:
            return document, said.headers
        detail = document.get("detail") if isinstance(document, dict) else None
        # What a service checks before it decides is no sentence.
        text = detail if isinstance(detail, str) else f"the service {service} does not take this"
        raise REFUSALS.get(said.status_code, MeshError)(text)


async def whole(said: httpx.Response) -> bytes:
    """A body, of which no more is read than a page has room for."""
    body = bytearray()
    async for piece in said.aiter_bytes():
        body += piece
        if len(body) > LONGEST:
            raise WrongUse("the answer is too much for a page: ask for less, or on a command line")
    return bytes(body)


async def unless_gone(request: Request, work: Coroutine[Any, Any, Told]) -> Told | None:
    """What *work* gives, or None where whoever asked went away: then it is ended."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait([task], timeout=LOOK_S)
        if not task.done() and await request.is_disconnected():
            task.cancel()
            await asyncio.wait([task])
            return None
    return await task


@cache
def certificates() -> ssl.SSLContext:
    """Whom to believe; to read them takes longer than an answer."""
    return httpx.create_ssl_context(trust_env=False)
