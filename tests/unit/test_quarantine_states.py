"""Tests of a quarantine without a broker: states, what is remembered, and how it is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from click.testing import CliRunner
from confluent_kafka import Message

from mesh.cli.main import mesh
from mesh.cli.output import printable, show_json
from mesh.cli.quarantine_show import hex_dump, show_entry
from mesh.product.quarantine import Entry, Original, state_of
from mesh.product.rejection import Rejection
from mesh.product.retry import Ask, in_turn
from mesh.product.set_aside import Kept, SetAside, digest
from tests.repository import ROOT

PLACE = ("t", 1, 5)
NOW = datetime(2026, 3, 2, tzinfo=UTC)
HOSTILE = "\x1b[2J\x07\u202e[red]\x9b1m\n"


@pytest.mark.parametrize(
    ("attempt", "rule", "judged", "is_asked", "state"),
    [
        (None, "message", None, False, "waiting"),
        (None, "message", None, True, "asked"),
        (None, "message", 0, False, "replayed"),
        (0, "message", 0, False, "rejected again"),
        (0, "message", 0, True, "asked"),
        (0, "message", 1, False, "replayed"),
        (0, "message", 1, True, "replayed"),
        (0, "superseded", 0, True, "superseded"),
    ],
)
def test_a_state_follows_from_the_last_rejection_and_the_last_ask(
    attempt, rule, judged, is_asked, state
):
    row = {"attempt": attempt, "rule": rule}

    assert state_of(row, judged, is_asked=is_asked) == state


def test_a_rejection_from_before_there_were_replays_waits():
    assert state_of({"rule": "message"}, None, is_asked=False) == "waiting"


def on_retry_topic(ask: Ask, **changed: object) -> Message:
    """*ask* as a consumer of the retry topic has it."""
    given = {"key": ask.key, "value": ask.value, "headers": ask.headers()}
    return Message(topic="retry", partition=0, offset=9, **{**given, **changed})


def test_an_ask_is_read_as_it_was_written_and_stands_for_the_original():
    ask = Ask(
        origin=PLACE, key=None, value=b"\x00", sent_ms=1234, trace="trace", only="p.port",
        published=("a", "ü"),
    )  # fmt: skip

    found = Ask.of(on_retry_topic(ask))
    original = found.message()

    assert found == Ask(**{name: getattr(ask, name) for name in names(ask)}, attempt=9)
    assert (original.topic(), original.partition(), original.offset()) == PLACE
    assert (original.key(), original.value(), original.timestamp()[1]) == (None, b"\x00", 1234)
    assert original.headers() == [("traceparent", b"trace")]


def names(ask: Ask) -> list[str]:
    """The fields of an ask but for its attempt."""
    return [each for each in ask.__dataclass_fields__ if each != "attempt"]


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [("mesh-origin", b"[]"), ("mesh-sent-ms", b"1")],
        [("mesh-origin", b"\xff"), ("mesh-sent-ms", b"1")],
        [("mesh-origin", b'["t", 0, -1]'), ("mesh-sent-ms", b"1")],
        [("mesh-origin", b'["t", 4294967296, 1]'), ("mesh-sent-ms", b"1")],
        [("mesh-origin", b'["t", 0, 1]'), ("mesh-sent-ms", b"soon")],
        [("mesh-origin", b'["t", 0, 1]'), ("mesh-sent-ms", b"1"), ("mesh-published", b"7")],
    ],
)
def test_what_names_no_original_is_no_ask(headers):
    ask = Ask(origin=PLACE, key=b"k", value=b"v", sent_ms=1)

    assert Ask.of(on_retry_topic(ask, headers=headers)) is None


def test_replays_come_after_whatever_came_with_them():
    drained = {"retry-a": [1], "in": [2], "retry-b": [3]}

    assert list(in_turn(drained, {"retry-a", "retry-b"})) == [
        {"in": [2]},
        {"retry-a": [1]},
        {"retry-b": [3]},
    ]
    assert list(in_turn({}, {"retry-a"})) == []


# What the storage remembers.


@pytest.fixture
def memory():
    with duckdb.connect() as connection:
        connection.execute("create schema mesh; set TimeZone = 'UTC'")
        yield SetAside(connection)


def rejection(offset: int = 5, **changed: object) -> Rejection:
    given = {"topic": "t", "partition": 1, "offset": offset, "key": b"k", "value": b"v"}
    return Rejection(**{**given, "field": None, "rule": "r", "reason": "why", **changed})


def test_a_new_memory_does_not_know_what_was_before_until_it_is_told(memory):
    assert not memory.is_whole
    memory.replace([Kept(port="p", origin=PLACE, is_replayed=True)])

    assert memory.is_whole
    assert memory.find("p", [PLACE])[PLACE].is_replayed


def test_what_was_replayed_stays_so_whatever_is_set_aside_of_it_again(memory):
    memory.add("p", [rejection()])
    memory.replayed("p", [PLACE])
    memory.add("p", [rejection(), rejection(attempt=3)])

    assert memory.find("p", [PLACE])[PLACE].is_replayed
    assert memory.find("q", [PLACE]) == {}


def test_a_deletion_counts_for_its_key_and_for_what_stood_before_it_only(memory):
    memory.add("p", [rejection(5), rejection(7), rejection(3, key=b"other")])
    memory.bury("t", [(1, 6, b"k"), (0, 9, b"k")])

    found = memory.find("p", [("t", 1, offset) for offset in (3, 5, 7)])
    assert {place[2] for place, each in found.items() if each.is_deleted} == {5}
    assert memory.has_of("t")
    assert not memory.has_of("other")


def test_a_memory_keeps_no_key_in_clear(memory):
    memory.add("p", [rejection(key=b"+12025550100")])

    kept = memory._connection.execute("select key_digest from mesh.set_aside").fetchall()
    assert kept[-1] == (digest(b"+12025550100"),)
    assert "+1202" not in str(kept)


# How it is shown.


def entry(**changed: object) -> Entry:
    given = {
        "product": "d", "port": "p.port", "origin": PLACE, "field": None, "rule": "r",
        "reason": HOSTILE, "rejected_at": NOW, "state": "waiting", "is_whole": True, "size": 3,
        "key_digest": None,
    }  # fmt: skip
    return Entry(**{**given, **changed})


def test_nothing_that_is_shown_moves_the_terminal(capsys):
    value = HOSTILE.encode()
    original = Original(name=entry().name, key=value, value=value, sent_at=NOW, trace=HOSTILE)
    show_entry(entry(), original, as_json=False)
    show_entry(entry(), original, as_json=True)
    show_json({"text": HOSTILE})

    said = capsys.readouterr().out

    assert [each for each in said if not each.isprintable() and each != "\n"] == []
    assert value.hex() in said
    assert "[red]" in printable(HOSTILE)
    assert hex_dump(b"\x00a") == f"  0000  {'00 61':<48} .a"


def test_json_of_hostile_text_says_the_text(capsys):
    show_json({"text": HOSTILE})

    assert json.loads(capsys.readouterr().out) == {"text": HOSTILE}


def test_an_entry_is_called_by_port_and_origin_and_is_kept_a_week():
    others = [entry(port="p.other"), entry(product="e"), entry(origin=("t", 1, 6))]

    assert len({each.id for each in [entry(), entry(rule="x"), *others]}) == 4
    assert entry().is_kept(NOW + timedelta(days=6))
    assert not entry().is_kept(NOW + timedelta(days=7))


@pytest.mark.parametrize(
    "arguments", [[], ["0f"], ["--all", "--rule", "r"], ["--all", "0f"]], ids=" ".join
)
def test_a_replay_says_which_ones(arguments, monkeypatch, tmp_path):
    monkeypatch.setenv("MESH_HOME", str(tmp_path))
    monkeypatch.setenv("MESH_PROJECT", str(ROOT))

    result = CliRunner().invoke(mesh, ["quarantine", "replay", "call-center", *arguments])

    assert result.exit_code == 1
    wanted = "no principal 'call-center'" if arguments == ["0f"] else "say what to replay"
    assert wanted in str(result.exception)
