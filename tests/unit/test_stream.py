"""An answer that breaks off has no end, and costs the log no more than the server's own line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from mesh.errors import MeshError, Unreachable
from mesh.ports.stream import Streamed

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "headers": [],
    "asgi": {"spec_version": "2.3"},
}


def sent(error: Exception) -> tuple[list[tuple[bytes, bool]], list[str]]:
    """The bodies that are sent of an answer that breaks off by *error*, and what was closed."""
    found, closed = [], []

    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise error

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.body":
            found.append((message["body"], message["more_body"]))

    answer = Streamed(
        pieces(), lambda: closed.append("once"), headers={}, media_type="text/csv", longest_s=9
    )
    asyncio.run(answer(SCOPE, receive, send))
    return found, closed


@pytest.mark.parametrize("error", [MeshError("it took too long"), Unreachable("gone")], ids=str)
def test_an_answer_that_an_error_of_ours_ends_has_no_end_and_raises_nothing(error):
    assert sent(error) == ([(b"half", True)], ["once"])


def test_a_fault_in_the_middle_of_an_answer_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        sent(ZeroDivisionError())
