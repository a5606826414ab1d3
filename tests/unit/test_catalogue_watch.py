"""The catalogue asks products at their doors what their runs read and wrote."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from catalog.lineage import Book
from catalog.lineage_watch import Watch
from tests.events import STAGING, event, project


@pytest.fixture
def book() -> Book:
    """An empty book over the shipped products."""
    return Book(project)


def looking(book: Book, answer: Any, log: list[str]) -> tuple[Watch, list[str]]:
    """A watch over one product's door that answers so, and what it was asked."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    doors = {"call-center": "http://door"}
    return Watch(book, lambda: doors, log.append, httpx.MockTransport(handle)), asked


def test_products_are_asked_at_their_doors(book: Book) -> None:
    log: list[str] = []
    watch, asked = looking(book, {"events": [event(STAGING)]}, log)
    watch.look()
    watch.look()
    assert asked == ["http://door/observability/lineage"] * 2
    assert log == []
    kinds = {each.source: each.kind for each in book.edges()}
    assert kinds["call-center.finished-calls"] == "both"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(503), "503"),
        (httpx.Response(200, content=b"<html>"), "cannot be read"),
        ([], "something else than events"),
        ({"events": "none"}, "something else than events"),
        ({"events": [1]}, "an event is a JSON object"),
        (
            {"events": [event(STAGING, outputs=("pub.finance.billing.payments.v1",))]},
            "does not write",
        ),
    ],
)
def test_a_door_that_answers_nonsense_is_logged_once_and_changes_nothing(
    book: Book, answer: Any, said: str
) -> None:
    log: list[str] = []
    watch, _ = looking(book, answer, log)
    watch.look()
    watch.look()
    (line,) = log
    assert said in line
    assert all(each.kind == "declared" for each in book.edges())


def test_one_event_that_is_refused_keeps_no_other_from_being_taken(book: Book) -> None:
    log: list[str] = []
    foreign = event(STAGING, outputs=("pub.finance.billing.payments.v1",))
    watch, _ = looking(book, {"events": [foreign, event(STAGING)]}, log)
    watch.look()
    assert len(log) == 1
    kinds = {each.source: each.kind for each in book.edges()}
    assert kinds["call-center.finished-calls"] == "both"


def test_a_look_that_fails_in_a_way_that_nobody_foresaw_is_not_the_last(book: Book) -> None:
    log: list[str] = []
    stop = threading.Event()
    looks: list[int] = []

    def doors() -> dict[str, str]:
        looks.append(len(looks))
        if len(looks) == 3:
            stop.set()
        raise OSError("the folder is gone")

    Watch(book, doors, log.append).run(stop, every_s=0)
    assert looks == [0, 1, 2]
    assert len(log) == 1
    assert "the folder is gone" in log[0]
