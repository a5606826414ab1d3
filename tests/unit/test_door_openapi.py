"""The door's own description is valid and true; whatever is asked, it never fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from mesh.contract.model import Field
from mesh.contract.types import parse_type
from tests.doors import opened_door
from tests.mapped import notes_contract

STRUCT = {
    "logicalType": "object",
    "properties": [
        {"name": "x", "logicalType": "number", "physicalType": "decimal(4,0)", "required": True},
        {"name": "y", "logicalType": "array", "items": {"logicalType": "date"}},
    ],
}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """A door over a contract with every type, and a field called as a parameter of ours is."""
    contract = notes_contract()
    more = (
        Field(name="place", type=parse_type(STRUCT), description="Where.", is_personal=True),
        Field(name="limit", type=parse_type({"logicalType": "integer"}), identifier="x"),
        Field(name="ratio", type=parse_type(
            {"logicalType": "number", "logicalTypeOptions": {"format": "f32"}})),
    )  # fmt: skip
    contract = replace(contract, fields=(*contract.fields, *more), description="One row per note.")
    with opened_door(tmp_path_factory.mktemp("door"), contract) as found:
        found.add(
            {"id": "a", "price": Decimal("-0.01"), "share": float("inf"), "is_open": True,
             "at": datetime(2026, 1, 1, tzinfo=UTC), "tags": ["x", None], "limit": 7,
             "ref": "123e4567-e89b-12d3-a456-426614174000",
             "place": {"x": Decimal(1), "y": [None]}},
            {"id": "b", "share": 0.5, "ratio": 0.25},
        )  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def document(door):
    return door.client.get("/openapi.json").json()


def test_the_description_is_valid(document):
    validate(document)


def test_the_description_has_each_port_with_types_and_meanings(document):
    operation = document["paths"]["/ports/notes/rows"]["get"]
    row = document["components"]["schemas"]["sample.notes"]["properties"]

    assert operation["summary"] == "One row per note."
    assert row["place"]["description"] == "Where."
    assert row["place"]["x-personal"] is True
    assert row["limit"]["x-identifier"] == "x"
    assert row["at"] == {"type": ["string", "null"], "format": "date-time"}
    assert set(operation["responses"]["200"]["content"]) == {
        "application/json",
        "text/csv",
        "application/vnd.apache.arrow.stream",
        "application/vnd.apache.parquet",
    }


def test_rows_are_as_described(door, document):
    schema = document["components"]["schemas"]["sample.notes"]
    answer = door.ask().json()

    assert len(answer["rows"]) == 2
    for row in answer["rows"]:
        named = dict(zip(answer["columns"], row, strict=True))
        assert [str(each) for each in Draft202012Validator(schema).iter_errors(named)] == []


def test_each_path_that_is_described_answers_as_described(door, document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            name = "mesh-erasure" if path == "/control/rewrite" else "sample"
            body = {"json": {"query": "{__typename}"}} if "requestBody" in operation else {}
            answer = door.ask(path.replace("{key}", "a"), name, method.upper(), **body)
            assert str(answer.status_code) in operation["responses"], path
            assert answer.status_code == 200


def test_each_parameter_that_is_described_is_taken(door, document):
    operation = document["paths"]["/ports/notes/rows"]["get"]
    samples = {"cursor": door.ask(params={"limit": 1}).json()["next"]}
    names = [each["name"] for each in operation["parameters"]]

    assert "limit.eq" in names
    assert len(names) == len(set(names)) > 50
    for each in operation["parameters"]:
        value = samples.get(each["name"]) or sample(each["schema"])
        answer = door.ask(params={each["name"]: value})
        # The cursor is of another question than the default one only if a filter stands beside.
        assert answer.status_code == 200, (each["name"], answer.text)


def sample(schema):
    """A value that the schema of a parameter allows."""
    if "anyOf" in schema:
        return sample(schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "array":
        return sample(schema["items"])
    if schema["type"] == "string":
        formats = {
            "uuid": "123e4567-e89b-12d3-a456-426614174000",
            "date": "2026-01-31",
            "date-time": "2026-01-31T12:00:00Z",
        }
        return formats.get(schema.get("format"), "1.00")
    return {"integer": "7", "number": "0.5", "boolean": "true"}[schema["type"]]


NAMES = [
    *(each.name for each in notes_contract().fields), "place", "limit", "ratio", "cursor",
    "fields", "format", "",
]  # fmt: skip
OPERATORS = ["", ".eq", ".ne", ".gt", ".gte", ".lt", ".lte", ".prefix", ".is_null", ".x", "."]
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "true", "id", "id,note", "csv", "arrow", "all", "NaN", "1e400"]),
    st.integers().map(str),
    st.floats().map(str),
    st.decimals().map(str),
    st.dates().map(str),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.uuids().map(str),
)  # fmt: skip
QUIET = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUIET
@given(
    pairs=st.lists(
        st.tuples(
            st.one_of(
                st.tuples(st.sampled_from(NAMES), st.sampled_from(OPERATORS)).map("".join),
                st.text(max_size=10),
            ),
            VALUES,
        ),
        max_size=4,
    )
)
def test_whatever_is_asked_of_the_rows_is_answered_or_refused(door, pairs):
    answer = door.ask(params=pairs)

    assert answer.status_code in (200, 400, 422), answer.text
    assert answer.status_code == 200 or answer.json()["detail"]


@QUIET
@given(key=st.text(max_size=20), accept=st.text(alphabet=st.characters(codec="ascii"), max_size=30))
def test_whatever_key_and_format_are_asked_there_is_an_answer(door, key, accept):
    path = "".join(f"%{each:02x}" for each in key.encode("utf-8", "surrogatepass"))
    clean = "".join(each for each in accept if each.isprintable())
    answer = door.ask(f"/ports/notes/rows/{path}", headers={"Accept": clean.strip()})

    assert answer.status_code in (200, 404, 406, 422), answer.text


@QUIET
@given(raw=st.binary(max_size=30))
def test_whatever_bytes_stand_in_the_query_there_is_an_answer(door, raw):
    query = "".join(f"%{each:02x}" for each in raw)

    assert door.ask(f"/ports/notes/rows?note={query}&{query}=1").status_code in (200, 422)
