"""A log that was tampered with is found out, and what was done to it is named."""

from __future__ import annotations

import pytest

from mesh.audit.entry import ENTRY_BYTES
from mesh.audit.store import Log
from mesh.drills.cases import bounds, lose
from tests.audit import NAME, columns
from tests.verifying import KEY, filled, recounted

SIZE = 700
SOURCE = f"{NAME.topic} [{NAME.partition}]"


@pytest.fixture
def log(tmp_path):
    return filled(tmp_path / "log", SIZE)


def flip(log: Log, name: str, at: int) -> None:
    """Change one byte of a file."""
    with (log.folder / name).open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def named(log: Log, *kept: str):
    found, _ = recounted(log, *kept)
    return [(each.fault, each.what, each.place.removeprefix(f"{SOURCE} ")) for each in found]


def test_a_log_as_it_was_signed_has_no_findings(log):
    found, pieces = recounted(log, log.note)

    assert found == []
    assert [(each.begin, len(each.rows)) for each in pieces] == [(0, 256), (256, 256), (512, 188)]
    assert all(each.sound.all() for each in pieces)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 600])
def test_a_log_of_any_size_that_grew_has_no_findings(tmp_path, size):
    log = filled(tmp_path, size)
    note = log.note
    log.add(columns(300, size), needs_salt=False)

    assert named(log, note, log.note) == []


@pytest.mark.parametrize("at", [0, 300, SIZE - 1])
def test_a_byte_of_an_entry_is_named(log, at):
    flip(log, "entries", at * ENTRY_BYTES + 50)

    assert named(log, log.note) == [("altered", "entry", f"entry {at} (offset {2 * at})")]


def test_an_entry_that_says_another_offset_is_named_alone(log):
    flip(log, "entries", 300 * ENTRY_BYTES + 22)

    assert [each[:2] for each in named(log)] == [("altered", "entry")]


@pytest.mark.parametrize(
    ("name", "at", "place"),
    [("level-0", 300 * 32, "0/001 (offset 600)"), ("level-1", 32, "1/000.p/2")],
)
def test_a_byte_of_a_tile_is_named(log, name, at, place):
    flip(log, name, at)

    assert named(log, log.note) == [("altered", "tile", place)]


def test_entries_that_changed_places_are_named(log):
    data = bytearray((log.folder / "entries").read_bytes())
    one, other = (slice(at * ENTRY_BYTES, (at + 1) * ENTRY_BYTES) for at in (5, 6))
    data[one], data[other] = data[other], data[one]
    (log.folder / "entries").write_bytes(data)

    assert [each[1:] for each in named(log)] == [
        ("entry", "entry 5 (offset 12)"),
        ("entry", "entry 6 (offset 10)"),
    ]


def test_entries_that_do_not_come_in_order_are_named_though_they_are_signed_for(tmp_path):
    log = filled(tmp_path, 20)
    log.last_offset = -1
    log.add(columns(1, 3), needs_salt=False)

    assert named(log) == [("altered", "entry", "entry 20 (offset 6)")]


def test_a_message_that_is_not_the_one_committed_to_is_named(log):
    flip(log, "openings", bounds(log.folder, 9)[1] - 1)

    assert named(log) == [("altered", "opening", "offset 18")]


def test_a_message_that_is_gone_is_named_unless_it_was_erased(log):
    log.openings.destroy([7], "2026-1")
    lose(log.folder, 9)

    assert named(log) == [("missing", "opening", "offset 18")]


def test_a_withheld_message_is_not_missing(tmp_path):
    log = Log(tmp_path, NAME, KEY)
    log.add(columns(3, is_salted=False), needs_salt=True)

    assert named(log) == []


def test_a_dropped_tail_is_told_from_a_fork_by_a_checkpoint_that_was_kept(log, tmp_path):
    shorter = filled(tmp_path / "shorter", SIZE - 1)
    other = filled(tmp_path / "other", SIZE + 5, is_salted=False)

    assert named(shorter, log.note) == [("missing", "checkpoint", SOURCE)]
    assert named(other, log.note) == [("altered", "checkpoint", SOURCE)]
    assert named(shorter) == named(other) == []


def test_an_entry_that_ends_early_leaves_the_log_unread_and_says_so(log):
    (log.folder / "entries").write_bytes(b"")

    found, pieces = recounted(log)

    assert [(each.fault, each.what) for each in found] == [("missing", "log")]
    assert "entries ends before" in found[0].words
    assert pieces == []


def test_of_a_kind_only_the_first_hundred_are_listed(log):
    (log.folder / "entries").write_bytes(bytes(SIZE * ENTRY_BYTES))

    assert len(named(log)) == 100
