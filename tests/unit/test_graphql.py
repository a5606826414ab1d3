"""GraphQL at a product's door: the rows of REST in its types, for the granted, within limits."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from graphql import get_introspection_query

from mesh.ports import graphql_door
from tests.doors import ROWS, asked, opened_door
from tests.mapped import notes_contract

FIELDS = " ".join(each.name for each in notes_contract().fields)


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    with opened_door(tmp_path_factory.mktemp("graphql")) as found:
        found.add(*ROWS)
        yield found


def test_rows_are_those_of_rest_and_numbers_that_json_rounds_are_text(doors):
    found = asked(doors, f"{{notes {{rows {{{FIELDS}}} next offsets {{topic partition offset}}}}}}")
    rest = doors.ask().json()
    rows = [dict(zip(rest["columns"], row, strict=True)) for row in rest["rows"]]
    for row in rows:
        row["count"] = None if row["count"] is None else str(row["count"])

    assert found["data"]["notes"]["rows"] == rows
    assert rows[0]["count"] == str(2**53 + 1)
    assert found["data"]["notes"]["offsets"] == [{"topic": "t", "partition": 0, "offset": "3"}]


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ('{id: {eq: ["a", "c"]}}', "ac"),
        ("{count: {gt: 9007199254740992}}", "a"),
        ('{count: {eq: "9007199254740993"}}', "a"),
        ('{price: {lt: "12.5"}, note: {is_null: false}}', "b"),
        ('{day: {gte: "2026-01-01"}}', "b"),
        ('{at: {lte: "2026-01-02T03:04:05.000006Z"}}', "a"),
        ("{is_open: {eq: true}}", "a"),
        ("{small: {lt: 0}, share: {ne: 0.5}}", "a"),
        ("{tags: {is_null: true}}", "bc"),
        ('{id: {prefix: ""}, code: null}', "abc"),
    ],
)
def test_rows_are_asked_for_by_their_fields(doors, where, ids):
    found = asked(doors, f"{{notes(where: {where}) {{rows {{id}}}}}}")

    assert "".join(each["id"] for each in found["data"]["notes"]["rows"]) == ids


def test_variables_aliases_and_fragments_are_understood(doors):
    query = """
    query Two($ids: [String!]) {
      first: notes(where: {id: {eq: $ids}}) {...page}
      rest: notes(where: {id: {ne: $ids}}) {...page}
    }
    fragment page on Notes {rows {...key}}
    fragment key on NotesRow {id}
    """
    found = asked(doors, query, variables={"ids": ["b"]}, operationName="Two")

    assert found["data"] == {
        "first": {"rows": [{"id": "b"}]},
        "rest": {"rows": [{"id": "a"}, {"id": "c"}]},
    }


def test_pages_are_walked_by_their_cursor(doors):
    query = "query ($at: String) {notes(limit: 2, cursor: $at) {rows {id} next}}"
    first = asked(doors, query)["data"]["notes"]
    second = asked(doors, query, variables={"at": first["next"]})["data"]["notes"]

    assert [row["id"] for page in (first, second) for row in page["rows"]] == ["a", "b", "c"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        ("limit: 5000", 422, "write 1 to 1000"),
        ("limit: 0", 422, "write 1 to 1000"),
        ('cursor: "mine"', 400, "not one of this port"),
        ('where: {count: {eq: ["many"]}}', 422, "whole number of 64 bits"),
    ],
)
def test_what_cannot_be_asked_is_said_with_the_status_of_rest(doors, arguments, status, says):
    found = asked(doors, f"{{notes({arguments}) {{next}}}}")

    assert found["data"] == {"notes": None}
    assert found["errors"][0]["extensions"] == {"status": status}
    assert says in found["errors"][0]["message"]


def test_a_field_has_the_type_and_the_words_of_the_contract(tmp_path):
    contract = notes_contract()
    first, *others = contract.fields
    described = replace(first, is_required=True, description="Which note it is.")
    changed = replace(contract, fields=(described, *others), description="One row per note.")
    query = '{__type(name: "NotesRow") {description fields {name description type {kind name}}}}'
    with opened_door(tmp_path, changed) as doors:
        row = asked(doors, query)["data"]["__type"]
    fields = {each["name"]: each for each in row["fields"]}

    assert row["description"] == "One row per note."
    assert fields["id"] == {
        "name": "id",
        "description": "Which note it is.",
        "type": {"kind": "NON_NULL", "name": None},
    }
    assert {name: fields[name]["type"]["name"] for name in ("count", "small", "price", "at")} == {
        "count": "Int64",
        "small": "Int",
        "price": "Decimal",
        "at": "Instant",
    }


def test_the_schema_is_shown_to_whoever_is_granted_a_port_and_to_nobody_else(doors):
    query = {"query": get_introspection_query()}
    with_nothing = doors.ask("/graphql", "mallory", "POST", json=query)
    unknown = doors.client.post("/graphql", json=query, headers={"Authorization": "Bearer x"})

    assert "errors" not in asked(doors, query["query"])
    assert (with_nothing.status_code, unknown.status_code) == (403, 401)
    assert doors.client.post("/graphql", json=query).status_code == 401


def test_a_port_that_is_not_granted_is_null_beside_one_that_is(tmp_path):
    with opened_door(tmp_path) as doors:
        doors.door.contracts = {"notes": doors.contract, "secret-notes": doors.contract}
        mine = doors.contract
        secret = replace(mine, id="sample.secret-notes")
        doors.door.contracts["secret-notes"] = secret
        doors.door._readers = lambda contract: {"ada"} if contract is mine else set()
        found = asked(doors, "{notes {rows {id}} secret_notes {rows {id}}}")

    assert found["data"] == {"notes": {"rows": []}, "secret_notes": None}
    assert found["errors"][0]["message"] == "ada is not granted secret-notes"
    assert found["errors"][0]["extensions"] == {"status": 403}


def test_a_door_imports_nothing_of_it_until_it_is_asked():
    script = "import mesh.ports.app, sys; print([n for n in sys.modules if 'graphql' in n])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "['mesh.ports.graphql_door']"


def test_without_the_extra_the_door_says_what_to_install(doors, monkeypatch):
    monkeypatch.setattr(graphql_door, "find_spec", lambda _: None)
    answer = doors.ask("/graphql", method="POST", json={"query": "{notes {next}}"})

    assert answer.status_code == 404
    assert "pip install 'reference-data-mesh[graphql]'" in answer.json()["detail"]
