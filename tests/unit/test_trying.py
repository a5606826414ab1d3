"""A contract is tested on the rows of a real door: what breaks is counted, and no value is kept."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import duckdb
import httpx
import pyarrow as pa
import pytest

from catalog.trying import Login, try_port
from mesh.backbone.endpoint import Principal
from mesh.contract.catalogue import CATALOGUE
from mesh.contract.ladder import digest_of
from mesh.contract.odps import load_product
from mesh.errors import MeshError, Unreachable
from tests.repository import ROOT
from tests.stream import calls

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
CONTRACT = load_product(ROOT / "products" / "call_center").outputs[0].contract


def rows(count=3, **changed):
    """Calls as the port has them, some columns otherwise."""
    table = calls(count)
    with closing(duckdb.connect()) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("calls", table)
        found = connection.sql(
            "select *, date_sub('second', started_at, ended_at) as duration_s from calls"
        ).to_arrow_table()
    for name, values in changed.items():
        at = found.schema.get_field_index(name)
        found = found.set_column(at, name, pa.array(values, found.schema.field(name).type))
    return found


def answered(table, contract=CONTRACT):
    """What a test of *contract* says, whose door gives *table*, or this answer."""

    def handle(request):
        assert request.headers["Authorization"] == "Bearer good"
        assert request.url.params["limit"] == "10000"
        if isinstance(table, httpx.Response):
            return table
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return httpx.Response(200, content=sink.getvalue().to_pybytes())

    with httpx.Client(transport=httpx.MockTransport(handle)) as client:
        return try_port(client, "http://door", "good", contract, NOW)


def test_rows_that_keep_the_contract_break_nothing():
    found = answered(rows())
    assert (found.port, found.rows, dict(found.broken)) == ("calls", 3, {})
    assert found.digest == digest_of(CONTRACT)


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"queue": ["billing", "nowhere", "never"]}, {"queue.enum": 2}),
        ({"phone_number": ["12", "+12025550123", "+12025550124"]}, {"phone_number.pattern": 1}),
        ({"queue": ["billing", None, "sales"]}, {"queue.required": 1}),
        ({"duration_s": [-1, 5, 5]}, {"duration_s.minimum": 1}),
    ],
)
def test_what_breaks_is_counted_by_its_rule(changed, broken):
    assert dict(answered(rows(**changed)).broken) == broken


def test_rows_without_a_promised_column_are_not_as_promised():
    assert dict(answered(rows().drop_columns(["queue"])).broken) == {"columns": 3}


def test_a_key_twice_breaks_a_state_port_and_no_event_port():
    twice = pa.concat_tables([rows(), rows(1)])
    assert dict(answered(twice).broken) == {}
    assert dict(answered(twice, replace(CONTRACT, kind="state")).broken) == {"key": 1}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403),
        httpx.Response(200, content=b""),
        httpx.Response(200, content=b"<html>no rows</html>"),
    ],
)
def test_rows_that_cannot_be_had_are_no_test(answer):
    with pytest.raises(MeshError, match="its rows cannot be read"):
        answered(answer)


def login(answer, access="http://access"):
    principal = Principal(name=CATALOGUE, secret="secret")
    client = httpx.Client(transport=httpx.MockTransport(answer))
    return Login(principal, lambda: access, client)


def test_one_token_a_product_serves_many_tests():
    asked = []

    def answer(request):
        asked.append(request.url.params["for"])
        return httpx.Response(200, json={"token": f"good at {asked[-1]}"})

    found = login(answer)
    assert [found.token("a"), found.token("b"), found.token("a")] == [
        "good at a",
        "good at b",
        "good at a",
    ]
    assert asked == ["a", "b"]


@pytest.mark.parametrize("answer", [httpx.Response(401), httpx.Response(200, json=[])])
def test_a_token_that_is_not_given_is_said(answer):
    with pytest.raises(Unreachable, match="no token"):
        login(lambda _: answer).token("a")
    with pytest.raises(Unreachable, match="MESH_SERVICES"):
        login(lambda _: answer, None).token("a")
