"""The Avro codec: byte for byte fastavro's, and exact both ways."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.backbone.avro import Decoder, Encoder, project
from mesh.backbone.wire import Unreadable
from mesh.contract.types import arrow_schema, avro_schema
from mesh.errors import BackboneError
from tests.strategies import contract_of, contracts_with_tables, field_of


def fastavro_bytes(schema, rows) -> list[bytes]:
    """Encode as fastavro does, but decimals by Java's rule: the shortest two's complement."""
    parsed = fastavro.parse_schema(json.loads(json.dumps(schema).replace("decimal", "x-decimal")))
    values = []
    for row in rows:
        out = io.BytesIO()
        fastavro.schemaless_writer(out, parsed, _decimals_as_bytes(row))
        values.append(out.getvalue())
    return values


def _decimals_as_bytes(value):
    if isinstance(value, dict):
        return {key: _decimals_as_bytes(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_decimals_as_bytes(one) for one in value]
    if not isinstance(value, Decimal):
        return value
    sign, digits, _ = value.as_tuple()
    unscaled = int("".join(map(str, digits))) * (-1 if sign else 1)
    bits = (unscaled if unscaled >= 0 else ~unscaled).bit_length()
    return unscaled.to_bytes(bits // 8 + 1, "big", signed=True)


@given(given=contracts_with_tables())
@settings(max_examples=120, deadline=None)
def test_encoding_is_byte_equal_to_fastavro(given):
    contract, table = given
    schema = avro_schema(contract)

    values = Encoder(schema).encode(table, schema_id=258)
    assert [value[:5] for value in values] == [b"\0\0\0\1\2"] * table.num_rows
    assert [value[5:] for value in values] == fastavro_bytes(schema, table.to_pylist())


@given(given=contracts_with_tables())
@settings(max_examples=120, deadline=None)
def test_decoding_gives_back_what_was_encoded(given):
    contract, table = given
    schema = avro_schema(contract)

    decoded = Decoder(schema).decode([v[5:] for v in Encoder(schema).encode(table, 1)])
    assert decoded.bad == []
    assert decoded.good == list(range(table.num_rows))
    assert decoded.table.equals(table)


@given(given=contracts_with_tables(), cut=st.integers(0, 6))
@settings(max_examples=60, deadline=None)
def test_slices_and_chunks_encode_as_the_whole_does(given, cut):
    contract, table = given
    encoder = Encoder(avro_schema(contract))
    pieces = [table.slice(0, cut), table.slice(cut)]

    whole = encoder.encode(table, 1)
    assert [v for piece in pieces for v in encoder.encode(piece, 1)] == whole
    assert encoder.encode(pa.concat_tables(pieces), 1) == whole


def test_long_texts_and_many_rows_are_as_good_as_short_ones():
    contract = contract_of(field_of("a", required=True), field_of("n", "integer"))
    texts = ["x" * (i % 9_000) for i in range(0, 70_000, 7)] + ["y"] * 60_000
    table = pa.table({"a": texts, "n": range(len(texts))}, schema=arrow_schema(contract))
    schema = avro_schema(contract)

    decoded = Decoder(schema).decode([v[5:] for v in Encoder(schema).encode(table, 1)])
    assert decoded.table.equals(table)
    assert decoded.good == list(range(len(texts)))


def test_a_long_list_is_read_too():
    contract = contract_of(field_of("a", "array", items={"logicalType": "integer"}))
    lists = [[1], list(range(500)), None, [None] * 64, []]
    table = pa.table({"a": lists}, schema=arrow_schema(contract))
    schema = avro_schema(contract)

    decoded = Decoder(schema).decode([v[5:] for v in Encoder(schema).encode(table, 1)])
    assert decoded.table.equals(table)


def test_no_rows_are_no_messages():
    contract = contract_of(field_of("a"))
    schema = avro_schema(contract)

    assert Encoder(schema).encode(arrow_schema(contract).empty_table(), 1) == []
    assert Decoder(schema).decode([]).table.schema == arrow_schema(contract)


def test_null_in_a_required_field_is_not_encoded():
    part = {"name": "b", "logicalType": "string", "required": True}
    contract = contract_of(field_of("a", "object", properties=[part]))
    table = pa.table({"a": [{"b": "x"}, {"b": None}]}, schema=arrow_schema(contract))

    with pytest.raises(BackboneError, match=r"required field a\.b"):
        Encoder(avro_schema(contract)).encode(table, 1)


def test_a_missing_column_is_not_encoded():
    contract = contract_of(field_of("a"), field_of("b"))

    with pytest.raises(BackboneError, match="column b is missing"):
        Encoder(avro_schema(contract)).encode(pa.table({"a": ["x"]}), 1)


@pytest.mark.parametrize(
    "field_type",
    [
        "null",
        "Value",
        ["null", "null"],
        ["string", "long"],
        {"type": "map", "values": "int"},
        {"type": "array", "items": "null"},
        {"type": "record", "name": "Empty", "fields": []},
        {"type": "bytes", "logicalType": "decimal", "precision": 77},
    ],
)
def test_a_schema_that_could_exhaust_us_is_refused(field_type):
    schema = {"type": "record", "name": "Value", "fields": [{"name": "a", "type": field_type}]}

    with pytest.raises(BackboneError):
        Decoder(schema)


def test_what_others_write_in_other_ways_is_read():
    schema = {
        "type": "record",
        "name": "Foreign",
        "fields": [
            {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["one", "two"]}},
            {"name": "s", "type": ["string", "null"]},
            {"name": "ms", "type": {"type": "long", "logicalType": "timestamp-millis"}},
            {"name": "e2", "type": ["null", "E"]},
            {"name": "raw", "type": "bytes"},
        ],
    }
    rows = [
        {"e": "two", "s": "x", "ms": 1_700_000_000_123, "e2": None, "raw": b"\xff"},
        {"e": "one", "s": None, "ms": 0, "e2": "two", "raw": b""},
    ]

    decoded = Decoder(schema).decode(fastavro_bytes(schema, rows))
    assert decoded.table["ms"].cast(pa.int64()).to_pylist() == [1_700_000_000_123, 0]
    assert decoded.table.drop_columns("ms").to_pylist() == [
        {key: value for key, value in row.items() if key != "ms"} for row in rows
    ]
    assert [v[5:] for v in Encoder(schema).encode(decoded.table, 1)] == fastavro_bytes(schema, rows)


def test_a_newer_reader_finds_null_where_an_older_writer_had_nothing():
    i32 = {"logicalTypeOptions": {"format": "i32"}}
    part = {"name": "x", "logicalType": "string"}
    old = contract_of(
        field_of("n", "integer", **i32),
        field_of("gone"),
        field_of("l", "array", items={"logicalType": "object", "properties": [part]}),
    )
    more = {"name": "y", "logicalType": "date"}
    new = contract_of(
        field_of("n", "integer"),
        field_of("l", "array", items={"logicalType": "object", "properties": [more, part]}),
        field_of("added", "timestamp"),
    )
    table = pa.table(
        {"n": [1, None], "gone": ["a", "b"], "l": [[{"x": "t"}, None], None]},
        schema=arrow_schema(old),
    )

    projected = project(table, new)
    assert projected.schema == arrow_schema(new)
    assert projected.to_pylist() == [
        {"n": 1, "l": [{"y": None, "x": "t"}, None], "added": None},
        {"n": None, "l": None, "added": None},
    ]


@pytest.mark.parametrize(
    ("reader", "reason"),
    [
        (field_of("a", "integer"), "field a is string, not int64"),
        (field_of("b", required=True), "no field b, which is required"),
    ],
)
def test_a_reader_that_the_writer_cannot_serve_is_told_why(reader, reason):
    projected = project(pa.table({"a": ["x"]}), contract_of(reader))

    assert isinstance(projected, Unreadable)
    assert reason in projected.reason
