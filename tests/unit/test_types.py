"""The table of types: ODCS, Avro, Arrow and DuckDB hold the same values exactly."""

from __future__ import annotations

import json
import struct

import duckdb
import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings

from mesh.contract.arrays import as_typed
from mesh.contract.model import Contract
from mesh.contract.rules import fit
from mesh.contract.types import (
    FieldType,
    TypeProblem,
    arrow_schema,
    avro_schema,
    duckdb_columns,
    parse_type,
)
from tests.strategies import contract_of, contracts, contracts_with_tables, field_of


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("types") / "types.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def through_duckdb(database, contract: Contract, table: pa.Table) -> pa.Table:
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in duckdb_columns(contract))
    database.execute(f"create or replace table stored ({columns})")
    database.register("given", table)
    database.execute("insert into stored select * from given")
    database.execute("checkpoint")
    return database.sql("select * from stored").to_arrow_table()


def fitted(table: pa.Table, contract: Contract) -> pa.Table:
    found = fit(table, contract)
    assert found.violations == []
    return found.table


@pytest.mark.parametrize(
    ("property_", "avro", "arrow", "sql"),
    [
        ({"logicalType": "string"}, "string", "string", "VARCHAR"),
        ({"logicalType": "integer"}, "long", "int64", "BIGINT"),
        (
            {"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}},
            "int",
            "int32",
            "INTEGER",
        ),
        ({"logicalType": "number"}, "double", "double", "DOUBLE"),
        (
            {"logicalType": "number", "logicalTypeOptions": {"format": "f32"}},
            "float",
            "float",
            "FLOAT",
        ),
        ({"logicalType": "boolean"}, "boolean", "bool", "BOOLEAN"),
        ({"logicalType": "date"}, "int", "date32[day]", "DATE"),
        ({"logicalType": "timestamp"}, "long", "timestamp[us, tz=UTC]", "TIMESTAMPTZ"),
        (
            {"logicalType": "number", "physicalType": "DECIMAL(12, 2)"},
            "bytes",
            "decimal128(12, 2)",
            "DECIMAL(12,2)",
        ),
        (
            {"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}},
            "string",
            "string",
            "UUID",
        ),
    ],
)
def test_each_property_has_one_type_in_avro_arrow_and_duckdb(property_, avro, arrow, sql):
    contract = contract_of(
        field_of(
            "a",
            required=True,
            **{"type_": property_["logicalType"]},
            **{key: value for key, value in property_.items() if key != "logicalType"},
        )
    )

    (field,) = avro_schema(contract)["fields"]
    physical = field["type"]["type"] if isinstance(field["type"], dict) else field["type"]
    assert physical == avro
    assert str(arrow_schema(contract).field("a").type) == arrow
    assert duckdb_columns(contract) == (("a", sql),)


@pytest.mark.parametrize(
    ("property_", "problem", "remedy"),
    [
        ({}, "logicalType is missing", "timestamp"),
        ({"logicalType": "time"}, "time is not supported", "timestamp"),
        ({"logicalType": "map"}, "map is not supported", "object"),
        ({"logicalType": "vector"}, "vector is not supported", "array"),
        ({"logicalType": "integer", "logicalTypeOptions": {"format": "u64"}}, "u64", "i64"),
        ({"logicalType": "number", "physicalType": "decimal(39,2)"}, "decimal(39,2)", "38"),
        ({"logicalType": "number", "physicalType": "decimal(2,3)"}, "decimal(2,3)", "scale"),
        ({"logicalType": "number", "physicalType": "decimal"}, "no precision", "decimal("),
        ({"logicalType": "integer", "physicalType": "VARCHAR"}, "does not fit", "BIGINT"),
        ({"logicalType": "array"}, "without items", "items"),
        ({"logicalType": "object"}, "without properties", "properties"),
        ({"logicalType": "object", "properties": []}, "without properties", "properties"),
        ({"logicalType": "timestamp", "logicalTypeOptions": {"timezone": False}}, "zone", "UTC"),
        ({"logicalType": "string", "logicalTypeOptions": "uuid"}, "not a mapping", "key: value"),
        (
            {"logicalType": "object", "properties": [{"name": "A b", "logicalType": "string"}]},
            "'A b'",
            "snake_case",
        ),
        (
            {"logicalType": "object", "properties": [{"name": "a", "logicalType": "date"}] * 2},
            "a twice",
            "its own name",
        ),
    ],
)
def test_a_type_that_is_not_exact_everywhere_is_refused_with_a_remedy(property_, problem, remedy):
    with pytest.raises(TypeProblem) as raised:
        parse_type(property_)

    assert problem in raised.value.problem
    assert remedy in raised.value.remedy


def test_a_type_nested_without_end_is_refused():
    endless: dict[str, object] = {"logicalType": "array"}
    endless["items"] = endless

    with pytest.raises(TypeProblem, match="deep"):
        parse_type(endless)


def test_nested_records_have_names_of_their_own():
    address = [{"name": "city", "logicalType": "string"}]
    inner = {"logicalType": "object", "properties": address}
    contract = contract_of(
        field_of("a_b", "object", properties=address),
        field_of("a", "object", properties=[{"name": "b"} | inner]),
        field_of("orders", "array", items=inner),
    )

    schema = fastavro.parse_schema(avro_schema(contract))
    names = set(schema["__named_schemas"])
    assert names == {
        "sales.shop.Orders",
        "sales.shop.orders.A_b",
        "sales.shop.orders.A",
        "sales.shop.orders.a.B",
        "sales.shop.orders.Orders",
    }


@given(contracts())
@settings(max_examples=60, deadline=None)
def test_every_contract_is_a_valid_avro_schema_and_stays_the_same(contract):
    schema = avro_schema(contract)

    fastavro.parse_schema(json.loads(json.dumps(schema)))
    assert avro_schema(contract) == schema


@given(given=contracts_with_tables())
@settings(max_examples=60, deadline=None)
def test_duckdb_gives_back_what_it_was_given(database, given):
    contract, table = given

    back = through_duckdb(database, contract, table)
    typed = as_typed(back.slice(1), arrow_schema(contract))

    typed.validate(full=True)
    assert fitted(back, contract).equals(table)
    assert typed.equals(table.slice(1))


def test_a_record_may_be_null_whose_parts_are_required(database):
    part = {"logicalType": "string", "name": "street", "required": True}
    contract = contract_of(field_of("place", "object", properties=[part]))
    table = pa.table({"place": [None, {"street": "A"}, None]}, schema=arrow_schema(contract))

    back = through_duckdb(database, contract, table)

    assert as_typed(back, table.schema).equals(table)
    with pytest.raises(pa.ArrowInvalid, match="non-nullable"):
        back.cast(table.schema)
    with pytest.raises(pa.ArrowInvalid, match="place is required, and null"):
        as_typed(back, pa.schema([table.schema.field("place").with_nullable(False)]))


def test_duckdb_keeps_each_bit_of_a_number_that_is_none(database):
    contract = contract_of(field_of("x", "number", required=True))
    values = [struct.unpack("<d", struct.pack("<Q", bits))[0] for bits in (
        0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8000000000000, 0x8000000000000000
    )]  # fmt: skip
    table = pa.table({"x": values}, schema=arrow_schema(contract))

    back = fitted(through_duckdb(database, contract, table), contract)
    assert back["x"].to_numpy().tobytes() == table["x"].to_numpy().tobytes()


def test_a_field_type_says_whether_it_is_nested():
    assert not FieldType(kind="date").is_nested
    assert parse_type({"logicalType": "array", "items": {"logicalType": "date"}}).is_nested
