"""Rows in every format, chosen by the reader, and whole ports sent in pieces."""

from __future__ import annotations

import io
import json
import math
import threading

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mesh.contract.types import arrow_schema
from tests.doors import ROWS, opened_door


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A door over three rows, for tests that change nothing."""
    with opened_door(tmp_path_factory.mktemp("still")) as found:
        found.add(*ROWS)
        yield found


@pytest.mark.parametrize("limit", ["100", "all"])
def test_all_formats_say_the_same(still, limit, tmp_path):
    def body(name):
        answer = still.ask(params={"format": name, "limit": limit})
        assert answer.status_code == 200
        assert json.loads(answer.headers["mesh-offsets"]) == {"t": {"0": 3}}
        return answer.content

    arrow = pa.ipc.open_stream(body("arrow")).read_all()
    parquet = pq.read_table(io.BytesIO(body("parquet")))
    (tmp_path / "x.csv").write_bytes(body("csv"))
    columns = {each.name: "varchar" for each in still.contract.fields}
    text = duckdb.sql(
        f"from read_csv('{tmp_path}/x.csv', columns = {columns}, allow_quoted_nulls = false)"
    ).fetchall()
    rows = json.loads(body("json"))["rows"]

    schema = arrow_schema(still.contract)
    assert arrow.schema.equals(parquet.schema)
    assert arrow.schema.equals(schema)
    assert arrow.schema.metadata[b"mesh.offsets"] == b'{"t": {"0": 3}}'
    expected = [{**dict.fromkeys(schema.names), **row} for row in ROWS]
    assert math.isnan(arrow["share"][0].as_py())
    assert numbers(arrow.to_pylist()) == numbers(parquet.to_pylist()) == numbers(expected)
    assert [[shown(each) for each in row] for row in rows] == [list(row) for row in text]


def numbers(rows):
    """Rows without NaN, which equals nothing."""
    return [
        {name: None if value != value else value for name, value in row.items()} for row in rows
    ]


def shown(value):
    """A value of JSON as CSV has it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, text/*;q=0.5", "text/csv"),
        (
            "application/json;q=0.1, application/vnd.apache.parquet",
            "application/vnd.apache.parquet",
        ),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=x", None),
    ],
)
def test_the_format_is_what_the_reader_accepts(still, accept, media):
    answer = still.ask(headers={"Accept": accept})

    assert answer.status_code == (200 if media else 406)
    assert media is None or answer.headers["content-type"].startswith(media)
    assert still.ask(headers={"Accept": accept}, params={"format": "csv"}).status_code == 200


def test_a_whole_port_is_sent_in_pieces_and_only_one_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("mesh.ports.door.PATIENCE_S", 0.1)
    with opened_door(tmp_path) as door:
        door.fill(300_000)
        url = "/ports/notes/rows?limit=all&format=arrow"
        headers = {"Authorization": f"Bearer {door.token()}"}
        with door.client.stream("GET", url, headers=headers) as answer:
            pieces = answer.iter_raw()
            next(pieces)
            door.remove("0000000")  # the writer goes on, and the reader does not see it

            assert door.ask(url).status_code == 503
            assert len(door.rows(limit=10)) == 10
            first = door.ask(url)
            assert first.headers["retry-after"]
        # Hanging up ends the export.
        whole = None
        for _ in range(100):
            whole = door.ask(url)
            if whole.status_code == 200:
                break
        assert whole is not None
        assert pa.ipc.open_stream(whole.content).read_all().num_rows == 299_999


def test_an_answer_that_takes_too_long_is_left_without_its_end_and_lets_go(tmp_path, monkeypatch):
    monkeypatch.setattr("mesh.ports.app.LONGEST_S", 0.5)
    with opened_door(tmp_path) as door:
        door.fill(500_000)

        with pytest.raises(httpx.RemoteProtocolError):
            read_slowly(door, "/ports/notes/rows?limit=all")
        monkeypatch.setattr("mesh.ports.app.LONGEST_S", 60.0)
        whole = door.ask("/ports/notes/rows?limit=all&format=parquet")
        assert pq.read_table(io.BytesIO(whole.content)).num_rows == 500_000


def read_slowly(door, url):
    """Read a little, then nothing for longer than an answer may take, then the rest."""
    headers = {"Authorization": f"Bearer {door.token()}"}
    with door.client.stream("GET", url, headers=headers) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        threading.Event().wait(1.5)
        return sum(map(len, pieces))
