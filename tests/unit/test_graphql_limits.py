"""What a question in GraphQL may not exceed: whatever is sent, little is done for it."""

from __future__ import annotations

import time

import pytest

from mesh.ports import graphql_door
from tests.doors import ROWS, Doors, asked, opened_door


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    with opened_door(tmp_path_factory.mktemp("graphql")) as found:
        found.add(*ROWS)
        yield found


def refusal(doors: Doors, query: str) -> str:
    """Why a document is not answered at all."""
    found = asked(doors, query)
    assert found["data"] is None
    return str(found["errors"][0]["message"])


def nested(times: int) -> str:
    return "{" + "a {" * times + "b" + "}" * times + "}"


def aliased(times: int) -> str:
    return "{" + " ".join(f"a{number}: notes {{next}}" for number in range(times)) + "}"


# Each name is made twice by the one before: without a memory, 2^40 of them are looked at.
DOUBLED = "{...F0} " + " ".join(
    f"fragment F{number} on Query {{...F{number + 1} ...F{number + 1}}}" for number in range(40)
)
INTROSPECTED = "{__schema {types " + "{fields {type " * 4 + "{name}" + "}}" * 4 + "}}"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (nested(19), "Cannot query field"),
        (nested(20), "the question is 21 deep"),
        (nested(200), "too deep"),
        (nested(10_000), "too deep"),
        ("{" + "a " * 1500 + "}", "more than 1000 tokens"),
        (aliased(11), "11 aliases"),
        (DOUBLED + "fragment F40 on Query {x: notes {next}}", "aliases"),
        (INTROSPECTED, "introspection depth"),
        ("{...F} fragment F on Query {...F}", "within itself"),
        ("{notes {...nothing}}", "Unknown fragment"),
        ("{notes(where: {id: {eq: " + "[" * 400 + "]" * 400 + "}}) {next}}", "too deep"),
        ("mutation {x}", "not supported"),
        ("{", "Syntax Error"),
    ],
    ids=range(13),
)
def test_a_bomb_is_refused_before_anything_is_read(doors, query, says):
    began = time.monotonic()

    assert says in refusal(doors, query)
    assert time.monotonic() - began < 5


def test_as_much_as_the_limits_allow_is_answered(doors):
    assert "errors" not in asked(doors, aliased(10))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 30_000,
        b'"query"',
        b'{"query": ""}',
        b'{"query": "{notes {next}}", "variables": []}',
        b'{"query": "{notes {next}}", "operationName": "other"}',
        b'{"query": "query ($at: String) {notes(cursor: $at) {next}}", "variables":'
        b' {"at": "\\ud800"}}',
        b'{"query": "' + b" " * graphql_door.MOST_BYTES + b'"}',
    ],
    ids=range(8),
)
def test_what_is_no_question_is_refused_in_one_line(doors, body):
    answer = doors.ask("/graphql", method="POST", content=body)

    assert answer.status_code == 422
    assert len(answer.json()["detail"]) < 200


def test_rows_that_are_too_large_together_are_refused(doors, monkeypatch):
    monkeypatch.setattr(graphql_door, "MOST_ROW_BYTES", 40)
    found = asked(doors, "{a: notes {rows {id}} b: notes {rows {id}} c: notes {rows {id}}}")

    assert found["data"]["a"] is not None
    assert found["data"]["c"] is None
    assert "too large at once" in found["errors"][-1]["message"]
