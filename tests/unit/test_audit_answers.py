"""What the audit log tells of a port: each answer against messages replayed one by one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.audit.answers import Answers, cut_at, diff
from mesh.audit.entry import Columns
from mesh.audit.origin import LogName
from mesh.audit.store import Log
from mesh.backbone.record import encoded
from mesh.contract.types import avro_schema
from mesh.errors import WrongUse
from tests.audit import key_of, salt
from tests.strategies import contract_of, field_of

CONTRACT = contract_of(
    field_of("id", required=True, key=1),
    field_of("n", "integer"),
)
SCHEMA = avro_schema(CONTRACT)
ANSWERS = Answers(CONTRACT, {7: SCHEMA}.get)
BROKEN = b"\0\0\0\0\7\xff"
# Key, and the number of its new row; None deletes it.
said = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 2)), max_size=12)


def logs_of(folder, *partitions):
    """The logs of partitions in which these keys and numbers were said, one a second."""
    found = {}
    for partition, messages in enumerate(partitions):
        name = LogName(mesh="m", topic="pub.t", topic_id=bytes(16), partition=partition)
        found[partition] = log = Log(folder / str(partition), name, key_of("m"))
        numbers = range(len(messages))
        log.add(
            Columns(
                offsets=[2 * each for each in numbers],
                timestamps_ms=[1000 * each for each in numbers],
                headers=[[("salt", salt(each))] for each in numbers],
                keys=[key.encode() for key, _ in messages],
                values=[value_of(key, n) for key, n in messages],
            ),
            needs_salt=True,
        )
    return found


def value_of(key, n):
    if n is None or isinstance(n, bytes):
        return n
    return encoded(7, SCHEMA, {"id": key, "n": n})


def replayed(messages):
    """The rows after *messages*, by key."""
    rows = {}
    for key, n in messages:
        rows.pop(key, None)
        if n is not None:
            rows[key] = {"id": key, "n": n}
    return rows


@settings(max_examples=40, deadline=None)
@given(said, st.integers(0, 12), st.integers(0, 12))
def test_state_and_diff_at_any_moment_are_what_a_replay_says(tmp_path_factory, messages, one, two):
    # A key has one partition, as a topic's producer sees to.
    parts = [[each for each in messages if (each[0] == "a") == is_a] for is_a in (True, False)]
    logs = logs_of(tmp_path_factory.mktemp("logs"), *parts)

    def expected(moment):
        return {**replayed(parts[0][:moment]), **replayed(parts[1][:moment])}

    cuts = [cut_at(logs, f"0:{2 * each},1:{2 * each}") for each in (one, two)]
    before, after = (ANSWERS.keyed(logs, each) for each in cuts)
    assert cuts[0] == cut_at(logs, 1000 * one - 1)
    assert (before, after) == (expected(one), expected(two))
    rows = ANSWERS.state(logs, cuts[0]).to_pylist()
    assert sorted(rows, key=str) == sorted(expected(one).values(), key=str)
    assert {key for key, _ in diff(before, after)} == {
        key for key in "abc" if expected(one).get(key) != expected(two).get(key)
    }
    for log in logs.values():
        log.close()


@settings(max_examples=30, deadline=None)
@given(said)
def test_every_change_says_what_was_before_and_after_it(tmp_path_factory, messages):
    logs = logs_of(tmp_path_factory.mktemp("logs"), messages)
    nothing, whole = cut_at(logs, "0:0"), cut_at(logs, None)
    changes = list(ANSWERS.changes(logs, nothing, whole))

    assert [each.entry.offset for each in changes] == [2 * n for n in range(len(messages))]
    for number, (change, (key, _)) in enumerate(zip(changes, messages, strict=True)):
        assert change.key == key
        assert change.before == replayed(messages[:number]).get(key)
        assert change.after == replayed(messages[: number + 1]).get(key)
    for key in "abc":
        assert list(ANSWERS.history(logs, key.encode())) == [
            each for each in changes if each.key == key
        ]
    for log in logs.values():
        log.close()


def test_a_change_is_called_what_it_is(tmp_path):
    messages = [("a", 1), ("a", 2), ("a", 2), ("a", None), ("a", None), ("a", BROKEN), ("a", 0)]
    logs = logs_of(tmp_path, messages)

    assert [each.what for each in ANSWERS.history(logs, b"a")] == [
        "created", "changed", "repeated", "deleted", "repeated", "unreadable", "created",
    ]  # fmt: skip
    assert list(ANSWERS.history(logs, b"x")) == []


@pytest.mark.parametrize("text", ["x", "0:1", "0:1,2:3", "0:1,1:x", "0:1,1:2,2:3", "0", ""])
def test_what_is_no_moment_is_wrong_use(tmp_path, text):
    logs = logs_of(tmp_path, [("a", 1)], [("b", 1)])

    with pytest.raises(WrongUse, match="is no moment"):
        cut_at(logs, text)
