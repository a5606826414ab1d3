"""Tests of the ledger: which records of a system are new, known, or contradict what was sent."""

from __future__ import annotations

import uuid

import duckdb
import pyarrow as pa
import pytest

from mesh.product.ledger import DIGEST, LINE, Ledger

HEADER, OTHER_HEADER = b"\x00\x00\x00\x00\x07", b"\x00\x00\x00\x00\x08"


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def sent(*records: tuple[str, bytes], header: bytes = HEADER) -> pa.Table:
    """Messages of these keys and contents."""
    return pa.table(
        {
            "key": pa.array([key.encode() for key, _ in records], pa.binary()),
            "value": pa.array([header + content for _, content in records], pa.binary()),
        }
    )


def lines(*digests: str, start: int = 1) -> pa.Table:
    return pa.table({LINE: list(range(start, start + len(digests))), DIGEST: digests})


def test_a_record_is_new_once(connection):
    ledger = Ledger(connection)

    first = ledger.record(sent(("a", b"1"), ("b", b"2")))
    second = ledger.record(sent(("b", b"2"), ("c", b"3")))

    assert (first.new, first.changed) == ([0, 1], [])
    assert (second.new, second.changed) == ([1], [])


def test_a_known_key_with_other_content_contradicts(connection):
    ledger = Ledger(connection)
    ledger.record(sent(("a", b"1")))

    judged = ledger.record(sent(("a", b"2"), ("a", b"1")))

    assert (judged.new, judged.changed) == ([], [0])


def test_within_a_batch_the_first_of_a_key_counts(connection):
    judged = Ledger(connection).record(sent(("a", b"1"), ("a", b"2"), ("a", b"1")))

    assert (judged.new, judged.changed) == ([0], [1])


def test_the_same_content_under_another_schema_id_is_known(connection):
    ledger = Ledger(connection)
    ledger.record(sent(("a", b"1")))

    judged = ledger.record(sent(("a", b"1"), header=OTHER_HEADER))

    assert (judged.new, judged.changed) == ([], [])


def test_a_ledger_remembers_over_its_next_opening(connection):
    Ledger(connection).record(sent(("a", b"1")))
    connection.execute("drop table temp.occurrences")

    assert Ledger(connection).record(sent(("a", b"1"), ("b", b"1"))).new == [1]


def test_what_is_rolled_back_is_not_remembered(connection):
    ledger = Ledger(connection)
    connection.execute("begin")
    ledger.record(sent(("a", b"1")))
    connection.execute("rollback")

    assert ledger.record(sent(("a", b"1"))).new == [0]


def test_an_empty_batch_is_no_record(connection):
    judged = Ledger(connection).record(sent())

    assert (judged.new, judged.changed) == ([], [])


def test_equal_lines_have_keys_of_their_own_however_the_file_is_cut(connection):
    whole = Ledger(connection).derived_keys(lines("x", "y", "x", "x")).to_pylist()
    connection.execute("drop table temp.occurrences")
    cut = Ledger(connection)

    parts = [
        *cut.derived_keys(lines("x")).to_pylist(),
        *cut.derived_keys(lines("y", "x", start=2)).to_pylist(),
        *cut.derived_keys(lines("x", start=4)).to_pylist(),
    ]

    assert parts == whole
    assert len(set(whole)) == 4


def test_a_derived_key_is_a_uuid_of_version_8(connection):
    (key,) = Ledger(connection).derived_keys(lines("x")).to_pylist()

    assert str(uuid.UUID(key)) == key
    assert uuid.UUID(key).version == 8
    assert uuid.UUID(key).variant == uuid.RFC_4122
