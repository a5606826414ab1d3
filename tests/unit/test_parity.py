"""Every door gives the same rows: of contracts with every type, and whatever is in them."""

from __future__ import annotations

import io
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.cli.read_graphql import read_graphql
from mesh.cli.read_grpc import read_grpc
from mesh.contract.model import Contract, Field
from mesh.contract.types import parse_type
from mesh.ports.grpc_door import grpc_door
from tests.doors import ROWS, Doors, opened_door
from tests.mapped import notes_contract
from tests.parity import Rows, differing, rows_of_table, rows_of_values
from tests.strategies import contracts, tables


def every_way(doors: Doors) -> dict[str, Rows]:
    """The rows of the one port, by the format or the door that they came through."""
    contract, token = doors.contract, doors.token()
    address = str(doors.client.base_url).rstrip("/")

    def rest(form: str) -> bytes:
        return doors.ask(params={"limit": "all", "format": form}).content

    with grpc_door(doors.door, "sample", host="127.0.0.1", port=0) as port:
        by_grpc = read_grpc(f"127.0.0.1:{port}", token, contract, None, [])
    return {
        "storage": rows_of_values(contract, doors.storage.connection.sql(
            f'select * from main."{contract.name}"').to_arrow_table().to_pylist()),
        "json": doors.ask(params={"limit": "all"}).json()["rows"],
        "arrow": rows_of_table(contract, pa.ipc.open_stream(rest("arrow")).read_all()),
        "parquet": rows_of_table(contract, pq.read_table(io.BytesIO(rest("parquet")))),
        "graphql": read_graphql(address, token, contract, None, [])["rows"],
        "grpc": by_grpc["rows"],
    }  # fmt: skip


@st.composite
def filled(draw: st.DrawFn) -> tuple[Contract, pa.Table]:
    """A contract with a key and fields of any type, and rows of it."""
    drawn = draw(contracts())
    key = Field(name="the_key", type=parse_type({"logicalType": "integer"}), key_position=1,
                is_required=True)  # fmt: skip
    contract = replace(drawn, id="sample.notes", product="sample", fields=(key, *drawn.fields))
    table = draw(tables(drawn))
    keys = pa.array(range(2**60, 2**60 + table.num_rows), pa.int64())
    return contract, table.add_column(0, "the_key", keys)


def put(doors: Doors, table: pa.Table) -> None:
    """Store *table* as the rows of the port."""
    names = ", ".join(f'"{name}"' for name in table.column_names)
    doors.storage.connection.register("given", table)
    doors.storage.connection.execute(
        f'insert into main."{doors.contract.name}" ({names}, _partition, _offset)'
        f" select {names}, 0, the_key from given"
    )
    doors.storage.connection.unregister("given")


@given(filled())
@settings(max_examples=15, deadline=None)
def test_any_contract_has_the_same_rows_through_every_door(given_):
    contract, table = given_
    with tempfile.TemporaryDirectory() as folder, opened_door(Path(folder), contract) as doors:
        put(doors, table)
        ways = every_way(doors)

    assert differing({"given": rows_of_values(contract, table.to_pylist()), **ways}) == {}


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    with opened_door(tmp_path_factory.mktemp("parity")) as doors:
        doors.add(*ROWS)
        return every_way(doors)


def test_a_full_row_a_small_one_and_one_of_nothing_are_the_same(ways):
    assert differing(ways) == {}
    assert {len(rows) for rows in ways.values()} == {3}


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("count", float),
        ("count", lambda value: int(float(value))),
        ("price", lambda value: value.rstrip("0")),
        ("at", lambda value: value.replace("000006Z", "000000Z")),
        ("note", lambda value: value.replace("é", "e\u0301")),
        ("code", lambda value: value or None),
        ("tags", lambda value: [each for each in value if each is not None]),
    ],
    ids=range(7),
)
def test_a_door_that_rounds_or_loses_anything_is_named(ways, field, change):
    place = [each.name for each in notes_contract().fields].index(field)
    broken = [list(row) for row in ways["json"]]
    broken[0][place] = change(broken[0][place])

    assert set(differing({**ways, "broken": broken})) == {"broken"}


def test_a_row_that_is_missing_or_twice_is_named(ways):
    rows = ways["json"]

    assert set(differing({**ways, "less": rows[1:], "twice": [*rows, rows[0]]})) == {
        "less",
        "twice",
    }
