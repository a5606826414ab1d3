"""A port becomes a file, whole or not at all, that says for which offsets it is true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Message
from hypothesis import given, settings

from mesh.backbone.avro import Encoder
from mesh.batch.export import export, is_at_end, offsets_in, schema_for
from mesh.batch.parquet import read, write
from mesh.contract.types import avro_schema
from mesh.errors import SettingsError, WrongUse
from tests.sql import EVENTS, SCHEMA, TOPIC_ID, messages_of
from tests.strategies import contracts_with_tables


@dataclass(kw_only=True)
class Said:
    """A topic that was read, as `Reading` gives it."""

    said: list[list[Message]]
    begins: Mapping[int, int]
    ends: Mapping[int, int]
    topic: str = EVENTS.topic
    id: bytes = TOPIC_ID

    def messages(self):
        yield from self.said


def said(*batches, begin=0):
    """Batches of keys and numbers, on one partition, at every second offset."""
    found = []
    for batch in batches:
        found.append(messages_of(batch, first=begin + 2 * sum(map(len, found))))
    end = begin + 2 * sum(map(len, found))
    return Said(said=found, begins={0: begin}, ends={0: end})


def rows_of(path):
    return [(row["id"], row["n"]) for row in read(path)[0].to_pylist()]


def exported(path, reading, contract=EVENTS, **more):
    return export(contract, reading, path, schema_of={7: SCHEMA}.get, **more)


@settings(max_examples=60, deadline=None)
@given(given_=contracts_with_tables())
def test_rows_of_any_contract_are_in_the_file_as_they_were_said(tmp_path_factory, given_):
    contract, table = given_
    values = Encoder(avro_schema(contract)).encode(table, 7)
    messages = [
        Message(topic=contract.topic, partition=0, offset=at, value=each)
        for at, each in enumerate(values)
    ]
    reading = Said(said=[messages], begins={0: 0}, ends={0: len(messages)})
    path = tmp_path_factory.mktemp("file") / "rows.parquet"
    export(contract, reading, path, schema_of={7: avro_schema(contract)}.get)
    found, _ = read(path)

    assert found.schema.equals(schema_for(contract))
    assert repr(found.to_pylist()) == repr(table.to_pylist())


def test_an_event_port_has_what_was_not_erased_in_order_of_its_offsets(tmp_path):
    reading = said([("b", 1), ("a", 2)], [("c", 3), ("b", None), ("b", 4)])
    found = exported(tmp_path / "x.parquet", reading)

    assert rows_of(tmp_path / "x.parquet") == [("a", 2), ("c", 3), ("b", 4)]
    assert (found.rows, found.about.source) == (3, "topic")


def test_a_state_port_has_the_last_row_of_each_key_in_order_of_it(tmp_path):
    reading = said([("b", 1), ("c", 1), ("a", 2)], [("b", 3), ("c", None)])
    exported(tmp_path / "x.parquet", reading, replace(EVENTS, kind="state"))

    assert rows_of(tmp_path / "x.parquet") == [("a", 2), ("b", 3)]


def test_earlier_offsets_have_earlier_rows_but_none_that_was_erased_since(tmp_path):
    reading = said([("a", 1), ("b", 2), ("c", 3)], [("d", 4), ("b", None)])
    found = exported(tmp_path / "x.parquet", reading, at={0: 5})

    assert rows_of(tmp_path / "x.parquet") == [("a", 1), ("c", 3)]
    assert found.about.offsets == {EVENTS.topic: {"0": 5}}


def test_a_file_says_what_it_is_of(tmp_path):
    exported(tmp_path / "x.parquet", said([("a", 1), ("b", 2)], begin=10))
    noted = pq.read_schema(tmp_path / "x.parquet").metadata
    about = read(tmp_path / "x.parquet")[1]

    assert noted[b"mesh.offsets"] == b'{"pub.sales.shop.orders.v1": {"0": 14}}'
    assert (about.port, about.version, about.kind) == ("shop.orders", "1.0.0", "event")
    assert (about.topic_id, about.schema_ids) == ("AAECAwQFBgcICQoLDA0ODw", (7,))
    assert about.begins == {EVENTS.topic: {"0": 10}}


def test_equal_offsets_give_equal_files_however_the_messages_came(tmp_path):
    pairs = [(key, n) for n in range(3) for key in "cab"]
    for name, reading in (("x", said(pairs)), ("y", said(pairs[:2], pairs[2:3], pairs[3:]))):
        exported(tmp_path / name, reading, replace(EVENTS, kind="state"))

    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_an_empty_port_is_a_file_too(tmp_path):
    exported(tmp_path / "x.parquet", said([]))
    rows, about = read(tmp_path / "x.parquet")

    assert (rows.num_rows, rows.schema) == (0, schema_for(EVENTS))
    assert about.schema_ids == ()


@pytest.mark.parametrize("before", [b"", b"the file of before"])
def test_what_is_stopped_leaves_nothing_behind(tmp_path, before):
    path = tmp_path / "x.parquet"
    path.write_bytes(before)

    def stopped(first):
        yield first
        raise KeyboardInterrupt

    reading = said([("a", 1)])
    reading.said = stopped(messages_of([("a", 1)]))
    with pytest.raises(KeyboardInterrupt):
        exported(path, reading)
    about = exported(tmp_path / "y.parquet", said([("a", 1)])).about
    pieces = stopped(pa.table({"n": [1, 2]}))
    with pytest.raises(KeyboardInterrupt):
        write(path, pa.schema([("n", pa.int64())]), pieces, about.metadata())

    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["x.parquet", "y.parquet"]


def test_a_folder_that_cannot_be_written_is_told_of(tmp_path):
    about = exported(tmp_path / "y.parquet", said([("a", 1)])).about

    with pytest.raises(SettingsError, match="cannot be written"):
        write(tmp_path / "none" / "x.parquet", schema_for(EVENTS), [], about.metadata())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12", "as 0:120,1:95"),
        ("", "as 0:120,1:95"),
        ("0:4,1:2", "as 0:120,1:95"),
        ("0:x", "as 0:120,1:95"),
        ("0:17", "ends at 16, which is before 17"),
        ("0:9", "begins at 10"),
        ("0:-1", "begins at 10"),
    ],
)
def test_offsets_that_the_topic_does_not_have_are_refused(text, why):
    with pytest.raises(WrongUse, match=why):
        offsets_in(text, said([("a", 1), ("b", 1), ("c", 1)], begin=10))


def test_the_end_is_where_nothing_comes_after():
    reading = said([("a", 1)], begin=10)

    assert [is_at_end({0: each}, reading) for each in (10, 11, 12)] == [False, False, True]


def test_another_file_is_none_that_was_exported(tmp_path):
    pq.write_table(pa.table({"n": [1]}), tmp_path / "x.parquet")
    (tmp_path / "y.parquet").write_text("no Parquet")

    for name in ("x", "y", "z"):
        with pytest.raises(WrongUse, match="is no file of `mesh export`"):
            read(tmp_path / f"{name}.parquet")
