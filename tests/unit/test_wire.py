"""Framing, keys and headers of a message."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.backbone import wire
from mesh.contract.types import arrow_schema
from mesh.errors import MeshError
from tests.strategies import contract_of, field_of

UUID = {"logicalTypeOptions": {"format": "uuid"}}


def keys_of(contract, **columns) -> list[bytes]:
    return wire.keys(pa.table(columns, schema=arrow_schema(contract)), contract).to_pylist()


@given(st.integers(0, 2**31 - 1), st.binary(max_size=20))
def test_what_is_framed_is_unframed(schema_id, payload):
    assert wire.unframe(wire.frame(schema_id, payload)) == (schema_id, payload)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "0 bytes"),
        (b"\0\0\0\1", "4 bytes"),
        (b'{"a": 1}', "byte 0x7b, not 0x00"),
        (b"\xff\0\0\0\1", "byte 0xff, not 0x00"),
    ],
)
def test_a_message_without_a_schema_header_is_explained(value, reason):
    unreadable = wire.unframe(value)

    assert isinstance(unreadable, wire.Unreadable)
    assert reason in unreadable.reason


@pytest.mark.parametrize(
    ("field", "values", "expected"),
    [
        (field_of("k", key=1), ["a", "", "ü\0"], ["a", "", "ü\0"]),
        (field_of("k", key=1, **UUID), ["A" * 8 + "-0000-0000-0000-" + "b" * 12],
         ["a" * 8 + "-0000-0000-0000-" + "b" * 12]),
        (field_of("k", "integer", key=1), [0, -5, 2**63 - 1], ["0", "-5", "9223372036854775807"]),
        (field_of("k", "boolean", key=1), [True, False], ["true", "false"]),
        (field_of("k", "date", key=1), [dt.date(2024, 2, 29), dt.date(1, 1, 1)],
         ["2024-02-29", "0001-01-01"]),
        (field_of("k", "timestamp", key=1),
         [dt.datetime(2024, 1, 2, 3, 4, 5, 6, dt.UTC), dt.datetime(1, 1, 1, tzinfo=dt.UTC)],
         ["2024-01-02T03:04:05.000006Z", "0001-01-01T00:00:00.000000Z"]),
        (field_of("k", "number", key=1, physicalType="decimal(12,10)"),
         [Decimal("0E-10"), Decimal("-1E-10"), Decimal("12.5")],
         ["0.0000000000", "-0.0000000001", "12.5000000000"]),
        (field_of("k", "number", key=1, physicalType="decimal(38)"), [Decimal(-(10**38) + 1)],
         ["-" + "9" * 38]),
    ],
)  # fmt: skip
def test_each_type_has_one_text_as_a_key(field, values, expected):
    assert keys_of(contract_of(field), k=values) == [text.encode() for text in expected]


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 9))))
def test_a_composite_key_is_a_compact_json_array_in_key_order(pairs):
    contract = contract_of(field_of("b", key=2), field_of("a", "integer", key=1))

    found = keys_of(contract, b=[b for b, _ in pairs], a=[a for _, a in pairs])
    assert found == [
        json.dumps([str(a), b], ensure_ascii=False, separators=(",", ":")).encode()
        for b, a in pairs
    ]


def test_keys_follow_slices_and_chunks():
    contract = contract_of(field_of("k", "number", key=1, physicalType="decimal(5,1)"))
    table = pa.table(
        {"k": [Decimal("1.5"), Decimal("-2.5"), Decimal(3)]}, schema=arrow_schema(contract)
    )

    chunked = pa.concat_tables([table.slice(1), table.slice(0, 1)])
    assert wire.keys(table.slice(1, 1), contract).to_pylist() == [b"-2.5"]
    assert wire.keys(chunked, contract).to_pylist() == [b"-2.5", b"3.0", b"1.5"]


@pytest.mark.parametrize(
    ("contract", "values", "problem"),
    [
        (contract_of(field_of("k")), ["a"], "no primary key"),
        (contract_of(field_of("k", "number", key=1)), [1.5], "no canonical text"),
        (contract_of(field_of("k", key=1)), ["a", None], "null"),
    ],
)
def test_what_cannot_be_a_key_is_refused(contract, values, problem):
    with pytest.raises(MeshError, match=problem):
        keys_of(contract, k=values)


def test_the_constant_headers_are_those_of_cloudevents_in_binary_mode():
    headers = dict(wire.cloud_event_headers("/call-center", "call-center.calls"))

    assert headers == {
        "ce_specversion": b"1.0",
        "ce_source": b"/call-center",
        "ce_type": b"call-center.calls",
        "content-type": b"application/avro",
    }
