"""A door takes in no more of a body than it may be long, whoever sends it."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from mesh.errors import WrongUse
from mesh.ports.bodies import Bounded, json_of
from mesh.sql.limits import missing
from tests.signed import opened_orders


def test_of_a_long_body_no_more_is_taken_than_was_allowed():
    taken = []

    async def receive():
        taken.append(1)
        return {"type": "http.request", "body": b" " * 100, "more_body": True}

    async def reading(scope, receive, send):
        while True:
            await receive()

    async def send(message):
        raise AssertionError(message)

    with pytest.raises(WrongUse, match="no more than 1,000 bytes"):
        asyncio.run(Bounded(reading, 1_000)({"type": "http"}, receive, send))
    assert len(taken) == 11


@pytest.mark.skipif(bool(missing()), reason=f"{missing()}: run it on Linux")
@pytest.mark.parametrize(
    ("service", "path", "statuses"),
    [("sql", "/sql", (401, 422)), ("access", "/access/request", (422, 400))],
)
def test_a_long_body_is_refused_before_anybody_looks_at_its_token(
    tmp_path, service, path, statuses
):
    headers = {"Authorization": "Bearer nobody's", "Content-Type": "application/json"}
    with opened_orders(tmp_path) as signed:
        url = signed.addresses[service] + path
        short, long = (
            httpx.post(url, content=b" " * size, headers=headers) for size in (10, 1_000_000)
        )

    assert (short.status_code, long.status_code) == statuses


@pytest.mark.parametrize(
    "text", ['"\\ud800"', '{"\\udfff": 1}', "NaN", "[-Infinity]", "{", "", "[" * 100_000]
)
def test_what_json_or_utf8_has_no_form_for_is_no_body(text):
    with pytest.raises(ValueError, match=r"\w"):
        json_of(text)


def test_a_character_in_two_halves_is_one():
    assert json_of('"\\ud83d\\ude00"') == "\U0001f600"
