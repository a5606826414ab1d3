"""The catalogue's lineage: events of products and of others, beside what is declared."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from catalog.lineage import MOST_SOURCES, Book
from catalog.lineage_figures import lineage_figures
from catalog.lineage_routes import MAX_BODY_BYTES, lineage_routes
from mesh.contract.observed import Sighting
from mesh.errors import MeshError, Refused, WrongUse
from mesh.ports.refusals import answer_error
from tests.events import AT, CALLS, STAGING, event, project


@pytest.fixture
def kept() -> list[Sighting]:
    """What the book had kept elsewhere."""
    return []


@pytest.fixture
def book(kept: list[Sighting]) -> Book:
    """An empty book over the shipped products."""
    return Book(project, kept.append)


class Client:
    """Asks an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app)

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            where = "http://catalogue"
            async with httpx.AsyncClient(transport=self._transport, base_url=where) as client:
                return await client.request(method, path, **arguments)

        return asyncio.run(ask())

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """Ask for a document."""
        return self.request("GET", path, **arguments)

    def post(self, path: str, **arguments: Any) -> httpx.Response:
        """Send a document."""
        return self.request("POST", path, **arguments)


@pytest.fixture
def client(book: Book) -> Client:
    """The routes; a token is the principal's name."""

    def check(token: str) -> str:
        if token == "forged":
            raise Refused("the token is not good")
        return token

    app = FastAPI()
    app.add_exception_handler(MeshError, answer_error)
    app.include_router(lineage_routes(book, check))
    return Client(app)


def post(client: Client, body: object, name: str = "ada") -> httpx.Response:
    """Send an event as *name*."""
    headers = {"Authorization": f"Bearer {name}"}
    return client.post("/api/v1/lineage", json=body, headers=headers)


def test_a_reader_that_nobody_declared_is_flagged_in_json_and_figures(client, book: Book) -> None:
    assert post(client, event(CALLS)).json() == {"taken": 1, "by": "ada"}
    found = client.get("/api/v1/lineage").json()
    (edge,) = [each for each in found["edges"] if each["target"] == "ada"]
    assert (edge["source"], edge["kind"]) == ("call-center.calls", "observed")
    assert edge["seen"]["job"] == "elsewhere/nightly"
    (difference,) = found["differences"]
    assert difference["what"] == "undeclared"
    assert difference["text"].startswith("ada reads call-center.calls")
    _, differences = lineage_figures(book)
    assert [(each.labels, each.value) for each in differences.samples] == [
        ({"reader": "ada", "what": "undeclared"}, 1.0)
    ]


def test_a_declared_input_that_was_not_read_is_flagged_once_its_product_ran(client) -> None:
    assert client.get("/api/v1/lineage").json()["differences"] == []
    post(client, event(), "call-center")
    (found,) = client.get("/api/v1/lineage").json()["differences"]
    assert (found["what"], found["source"]) == ("unobserved", "call-center.finished-calls")
    post(client, event(STAGING), "call-center")
    found = client.get("/api/v1/lineage?product=call-center").json()
    assert found["differences"] == []
    edges = {each["source"]: each for each in found["edges"]}
    assert {name: each["kind"] for name, each in edges.items()} == {
        "call-center.calls": "declared",
        "call-center.finished-calls": "both",
    }
    columns = edges["call-center.finished-calls"]["columns"]
    assert ["queue", "call-center.calls.queue"] in columns


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "'eventTime' is a required property"),
        ([], "an event is a JSON object"),
        (event(eventType="BEGUN"), "eventType: 'BEGUN' is not one of"),
        (event("x" * 600), "longer than 512 characters"),
        (event(at="2126-01-31T12:00:00Z"), "lies in the future"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(client, book: Book, body, said) -> None:
    answer = post(client, body)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert book.differences() == ()


def test_a_body_that_is_too_large_or_no_json_is_refused(client) -> None:
    headers = {"Authorization": "Bearer ada"}
    big = client.post("/api/v1/lineage", content=b"x" * (MAX_BODY_BYTES + 1), headers=headers)
    none = client.post("/api/v1/lineage", content=b"\xff{", headers=headers)
    deep = client.post("/api/v1/lineage", content=b"[" * 100_000, headers=headers)
    assert [each.status_code for each in (big, none, deep)] == [413, 422, 422]


def test_without_a_good_token_nothing_is_taken(client, book: Book) -> None:
    assert client.post("/api/v1/lineage", json=event(CALLS)).status_code == 401
    assert post(client, event(CALLS), "forged").status_code == 401
    assert all(each.kind == "declared" for each in book.edges())


def test_nobody_speaks_for_another_products_topics(client, book: Book) -> None:
    answer = post(client, event(STAGING, outputs=(CALLS,)), "mallory")
    assert answer.status_code == 403
    assert "mallory does not write" in answer.json()["detail"]
    assert all(each.kind == "declared" for each in book.edges())


def test_a_flood_of_names_is_refused(book: Book) -> None:
    for _ in range(2):  # what is known already is no more
        book.take(event(*(f"t{n}" for n in range(MOST_SOURCES))), "ada")
    with pytest.raises(Refused, match="more than 500 sources"):
        book.take(event("one-more"), "ada")


def test_what_was_kept_brings_the_book_back(book: Book, kept: list[Sighting]) -> None:
    book.take(event(CALLS), "ada")
    book.take(event(CALLS, at="2026-01-31T12:10:00Z"), "ada")  # within the hour: not kept anew
    book.take(event(CALLS, at="2026-01-31T13:10:00Z"), "ada")
    assert [each.at.hour for each in kept] == [12, 13]
    again = Book(project)
    for each in kept:
        again.restore(record_of(each))
    (edge,) = [each for each in again.as_document()["edges"] if each["target"] == "ada"]  # type: ignore[attr-defined]
    assert edge["seen"]["first_at"] == "2026-01-31T12:00:00+00:00"
    assert again.differences() == book.differences()


def record_of(sighting: Sighting) -> dict[str, Any]:
    """A sighting as JSON has it."""
    names = ("source", "target", "job", "run", "messages")
    return {name: getattr(sighting, name) for name in names} | {"at": sighting.at.isoformat()}


def test_an_older_event_does_not_take_the_place_of_a_newer(book: Book) -> None:
    for at in (AT, "2026-01-30T12:00:00Z"):
        book.take(event(CALLS, at=at), "ada")
    found: Any = book.as_document("ada")
    assert found["edges"][0]["seen"]["last_at"] == "2026-01-31T12:00:00+00:00"
    assert found["edges"][0]["seen"]["first_at"] == "2026-01-30T12:00:00+00:00"


def test_the_impact_of_a_field_is_json_too(client) -> None:
    found = client.get("/api/v1/impact?field=billing.payer-changes.payer_id").json()
    assert found["products"] == ["billing", "customer-profile", "key-ring", "reports"]
    for wrong in ("nothing", "billing.payer-changes.x", "x.y.z", ""):
        assert client.get("/api/v1/impact", params={"field": wrong}).status_code == 422


def test_a_clock_that_is_a_little_ahead_is_borne(book: Book) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    assert book.take(event(CALLS, at=soon.isoformat()), "ada") == 1
    with pytest.raises(WrongUse, match="future"):
        book.take(event(CALLS, at=(soon + timedelta(hours=1)).isoformat()), "ada")
