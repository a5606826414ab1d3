"""What is sent to the access service and is no act is refused in words, whatever it is."""

from __future__ import annotations

import asyncio
from typing import cast

import httpx
import pytest

from mesh.control.access import access_app, grant_routes
from mesh.control.granting import GrantDesk
from mesh.home import Home
from tests.access import NOON


@pytest.fixture
def app(tmp_path):
    # None of these comes to the desk.
    desk = cast(GrantDesk, None)
    routes = grant_routes(desk, lambda _: "grace", lambda: NOON)
    return access_app(Home(tmp_path), routes)


async def posted(app, path: str, body: bytes) -> httpx.Response:
    headers = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://access") as client:
        return await client.post(path, content=body, headers=headers)


@pytest.mark.parametrize("act", ["request", "grant", "revoke"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"port": "\\ud800"}', "port: Input should be a valid string"),
        (b'{"port": "a", "\\ud800": 1}', "unable to parse raw data"),
        (b'{"port": "a", "for_s": Infinity}', "for_s: Input should be"),
        (b"{", "JSON decode error"),
    ],
)
def test_it_is_told_what_was_wrong(app, act, body, words):
    answer = asyncio.run(posted(app, f"/access/{act}", body))

    assert answer.status_code == 422
    assert words in answer.json()["detail"]
