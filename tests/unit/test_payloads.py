"""Tests of how a batch's messages are told apart by their bytes alone."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.backbone.wire import Unreadable, frame, schema_ids, unframe
from mesh.product.outbox import LARGEST_MESSAGE
from mesh.product.payloads import Deletion, deletions_in, groups_in
from mesh.product.rejection import Fault

VALUES = st.one_of(
    st.none(),
    st.binary(max_size=12),
    st.builds(frame, st.sampled_from([0, 7, 2**32 - 1]), st.binary(max_size=4)),
)


def sorted_out(messages: list[tuple[bytes | None, bytes | None]]):
    """Deletions, the places of each schema's payloads with their bytes, and faults."""
    keys = pa.array([key for key, _ in messages], pa.binary())
    values = pa.array([value for _, value in messages], pa.binary())
    faults: dict[int, Fault] = {}
    deletions = deletions_in(keys, values, faults)
    groups = {
        each.schema_id: list(zip(each.places.tolist(), each.values.to_pylist(), strict=True))
        for each in groups_in(keys, values, faults)
    }
    return deletions, groups, faults


@settings(deadline=None)  # the machine may be busy
@given(st.lists(VALUES, max_size=20), st.integers(0, 3))
def test_many_schema_ids_are_told_as_each_by_itself(values, start):
    found = schema_ids(pa.array(values, pa.binary()).slice(start)).tolist()

    each = [unframe(value or b"") for value in values[start:]]
    assert found == [-1 if isinstance(one, Unreadable) else one[0] for one in each]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([None, b"k", b"\xff"]), VALUES), max_size=20))
def test_every_message_is_a_deletion_a_payload_or_a_fault(messages):
    deletions, groups, faults = sorted_out(messages)

    places = [each.cause for each in deletions]
    places += [place for group in groups.values() for place, _ in group]
    assert sorted([*places, *faults]) == list(range(len(messages)))
    assert all(value == messages[place][1] for group in groups.values() for place, value in group)


def test_messages_of_two_schemas_stay_in_their_order():
    one, two = frame(1, b"a"), frame(2, b"b")

    _, groups, faults = sorted_out([(b"k", two), (b"k", one), (b"k", two)])

    assert groups == {1: [(1, one)], 2: [(0, two), (2, two)]}
    assert not faults


def test_a_tombstone_without_a_key_that_is_text_is_a_fault():
    deletions, _, faults = sorted_out([(b"k", None), (None, None), (b"\xff", None)])

    assert deletions == [Deletion(cause=0, key=b"k")]
    assert {place: each.rule for place, each in faults.items()} == {1: "key", 2: "key"}


@pytest.mark.parametrize("key", [b"k", None])
def test_the_largest_message_is_counted_with_its_key(key):
    value = frame(1, bytes(LARGEST_MESSAGE - 5 - len(key or b"")))

    assert sorted_out([(key, value)])[2] == {}
    assert sorted_out([(key, value + b"x")])[2][0].rule == "size"


@pytest.mark.parametrize("value", [b"", b"\x00\x00\x00\x07", b"{}", b"\x01\x00\x00\x00\x07x"])
def test_what_names_no_schema_is_a_fault_with_its_reason(value):
    _, groups, faults = sorted_out([(b"k", value), (b"k", frame(7, b"x"))])

    assert list(groups) == [7]
    assert faults[0].reason == unframe(value).reason
