"""The Avro decoder among damaged and hostile messages: the good ones come out, all of them."""

from __future__ import annotations

import io
import time

import fastavro
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.backbone.avro import Decoder, Encoder
from mesh.contract.types import arrow_schema, avro_schema
from tests.strategies import contract_of, contracts_with_tables, field_of

PERSON = contract_of(
    field_of("name", required=True), field_of("age", "integer"), field_of("born", "date")
)
NUMBERS = contract_of(field_of("n", "array", required=True, items={"logicalType": "integer"}))


def payloads_of(contract, table) -> list[bytes]:
    return [value[5:] for value in Encoder(avro_schema(contract)).encode(table, 1)]


def people(*names: str) -> list[bytes]:
    rows = [{"name": name, "age": i, "born": None} for i, name in enumerate(names)]
    return payloads_of(PERSON, pa.Table.from_pylist(rows, schema=arrow_schema(PERSON)))


def according_to_fastavro(schema, payload: bytes) -> object:
    """Return fastavro's row, or None where it does not read every byte and no more."""
    stream = io.BytesIO(payload)
    try:
        row = fastavro.schemaless_reader(stream, fastavro.parse_schema(schema), None)
    except Exception:
        return None
    return row if stream.tell() == len(payload) else None


@st.composite
def damaged_batches(draw: st.DrawFn):
    contract, table = draw(contracts_with_tables())
    payloads = payloads_of(contract, table)
    damaged = set()
    for position, payload in enumerate(payloads):
        if draw(st.booleans()):
            damaged.add(position)
            cut = draw(st.integers(0, len(payload)))
            payloads[position] = draw(
                st.sampled_from(
                    [
                        payload[:cut],
                        payload + b"\0",
                        payload[:cut] + draw(st.binary(max_size=12)) + payload[cut:],
                        payload[:cut] + draw(st.binary(max_size=12)),
                    ]
                )
            )
    return contract, table, payloads, damaged


@given(given=damaged_batches())
@settings(max_examples=300, deadline=None)
def test_damage_stays_in_the_damaged_message(given):
    contract, table, payloads, damaged = given
    schema = avro_schema(contract)

    decoded = Decoder(schema).decode(payloads)
    bad = [position for position, _ in decoded.bad]
    assert sorted([*decoded.good, *bad]) == list(range(len(payloads)))
    assert set(bad) <= damaged

    whole = [position for position in decoded.good if position not in damaged]
    rows = [decoded.good.index(position) for position in whole]
    assert decoded.table.take(pa.array(rows, pa.int64())).equals(
        table.take(pa.array(whole, pa.int64()))
    )


@given(given=damaged_batches())
@settings(max_examples=300, deadline=None)
def test_a_damaged_message_is_bad_or_what_fastavro_says_it_is(given):
    contract, _, payloads, _ = given
    schema = avro_schema(contract)

    decoded = Decoder(schema).decode(payloads)
    for position, reason in decoded.bad:
        assert reason
        assert position < len(payloads)
    encoder = Encoder(schema)
    for index, position in enumerate(decoded.good):
        # By way of bytes, since Python's dates end at the year 9999 and Avro's do not.
        canonical = encoder.encode(decoded.table.slice(index, 1), 1)[0][5:]
        theirs = according_to_fastavro(schema, payloads[position])
        assert repr(theirs) == repr(according_to_fastavro(schema, canonical))


@pytest.mark.parametrize("cut", range(1, 4))
def test_a_truncated_message_takes_nothing_from_the_next(cut):
    payloads = people("ada", "grace", "mallory")
    payloads[1] = payloads[1][:-cut]

    decoded = Decoder(avro_schema(PERSON)).decode(payloads)
    assert decoded.table["name"].to_pylist() == ["ada", "mallory"]
    assert decoded.good == [0, 2]
    assert [position for position, _ in decoded.bad] == [1]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "field name: 1 bytes announced, 0 left"),
        (b"\x08ada", "field name: 4 bytes announced, 3 left"),
        (b"\x01", "field name: -1 bytes announced, 0 left"),
        (b"\x02\xff\x00\x00", "field name: the text is not UTF-8"),
        (b"\x02a\x04", "field age: union branch 2 does not exist"),
        (b"\x02a\x00\x00!", "1 bytes are left over after the last field"),
        (b"\x02a\x02" + b"\xff" * 10 + b"\x01\x00", "field age: an integer of more than ten bytes"),
        (b"\x02a\x02" + b"\xff" * 9 + b"\x7f\x00", "field age: an integer of more than 64 bits"),
        (b"\x02a\x00\x02\x80\x80\x80\x80\x10", "field born: 2147483648 does not fit int"),
    ],
)
def test_a_reason_says_which_field_is_wrong_and_how(payload, reason):
    decoded = Decoder(avro_schema(PERSON)).decode([payload])

    assert decoded.bad == [(0, reason)]
    assert decoded.table.num_rows == 0


def test_integers_longer_than_they_need_be_are_read():
    decoded = Decoder(avro_schema(PERSON)).decode([b"\x82\x00a\x82\x80\x00\x86\x80\x80\x00\x00"])

    assert decoded.table.to_pylist() == [{"name": "a", "age": 3, "born": None}]


def test_an_array_in_several_blocks_is_read():
    one_block_each = b"\x02\x02" + b"\x02\x04" + b"\x01\x02\x06" + b"\x00"
    contract = contract_of(
        field_of("n", "array", required=True, items={"logicalType": "integer", "required": True})
    )

    decoded = Decoder(avro_schema(contract)).decode([one_block_each])
    assert decoded.table.to_pylist() == [{"n": [1, 2, 3]}]


def _varint(number: int) -> bytes:
    zigzag, out = (number << 1) ^ (number >> 63), bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    return bytes([*out, zigzag])


@pytest.mark.parametrize(
    ("contract", "payload"),
    [
        (PERSON, _varint(1 << 60) + b"x"),
        (PERSON, _varint((1 << 63) - 1) + b"x"),
        (NUMBERS, _varint(1 << 60) + b"\0" * 1_000),
        (NUMBERS, _varint(-(1 << 60)) + b"\2" + b"\0" * 1_000),
        (NUMBERS, _varint(-(1 << 62)) + _varint(1 << 62) + b"\0"),
    ],
)
def test_a_message_that_claims_to_be_huge_is_refused_at_once(contract, payload):
    start = time.process_time()

    decoded = Decoder(avro_schema(contract)).decode([payload] * 100)
    assert len(decoded.bad) == 100
    assert time.process_time() - start < 1


def test_a_megabyte_of_nested_lists_is_read_in_seconds():
    nested = {"logicalType": "array", "items": {"logicalType": "array", "required": True, "items": {
        "logicalType": "integer", "required": True}, }, }  # fmt: skip
    contract = contract_of(field_of("a", **{"type_": "array", "items": nested["items"]}))
    table = pa.table({"a": [[[1] * 64] * 4_000]}, schema=arrow_schema(contract))
    start = time.process_time()

    decoded = Decoder(avro_schema(contract)).decode(payloads_of(contract, table))
    assert decoded.table.equals(table)
    assert time.process_time() - start < 10
