"""A log on disk: what is signed for is there, whatever stopped it; and damage is named."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.audit.entry import Entry
from mesh.audit.files import File
from mesh.audit.proof import verified
from mesh.audit.store import Log
from mesh.audit.tiles import Tile
from mesh.errors import StorageError, Unproven
from tests.audit import NAME, columns, key_of
from tests.audit import Log as MemoryLog

KEY = key_of(NAME.mesh)
# What a batch is written to before its checkpoint, in no order that could be relied on.
FILES = ["keys", "openings", "ends", "entries", "level-0", "level-1"]
BEFORE, ADDED = 300, 400


def opened(folder):
    return Log(folder, NAME, KEY)


def filled(folder, *counts):
    """A log with batches of so many messages."""
    log = opened(folder)
    for count in counts:
        log.add(columns(count, log.size), needs_salt=False)
    return log


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """The folders of one log before and after a batch."""
    folder = tmp_path_factory.mktemp("log")
    filled(folder / "before", BEFORE).close()
    shutil.copytree(folder / "before", folder / "after")
    filled(folder / "after", ADDED).close()
    return folder / "before", folder / "after"


def test_a_log_on_disk_is_the_one_in_memory(tmp_path):
    log, other = filled(tmp_path, 1, 255, 444), MemoryLog()
    other.add(columns(700))

    assert log.note == other.checkpoint()
    assert [str(log.proof(each, is_opened=True)) for each in (0, 256, 699)] == [
        str(other.proof(each)) for each in (0, 256, 699)
    ]
    assert log.entries(0, 700) == other.entries


def test_a_log_goes_on_where_it_ended(tmp_path):
    filled(tmp_path, 300).close()
    log = opened(tmp_path)
    log.add(columns(400, 300), needs_salt=False)

    other = MemoryLog()
    other.add(columns(700))
    assert (log.size, log.last_offset) == (700, 1398)
    assert log.note == other.checkpoint()


@settings(max_examples=60, deadline=None)
@given(torn=st.fixed_dictionaries(dict.fromkeys(FILES, st.just(1.0) | st.floats(0, 1))))
def test_what_was_written_and_not_signed_is_cut(pair, tmp_path_factory, torn):
    """Of each file a part was on disk."""
    before, after = pair
    folder = tmp_path_factory.mktemp("torn") / "log"
    shutil.copytree(before, folder)
    for name, part in torn.items():
        begun = (before / name).stat().st_size
        length = begun + int(part * ((after / name).stat().st_size - begun))
        (folder / name).write_bytes((after / name).read_bytes()[:length])
    log = opened(folder)

    assert log.size == BEFORE
    assert log.note == (before / "checkpoint").read_text()
    assert log.openings.at(BEFORE) is None
    log.add(columns(ADDED, BEFORE), needs_salt=False)
    assert log.note == (after / "checkpoint").read_text()
    log.close()


def test_an_offset_is_never_logged_twice(tmp_path):
    log = filled(tmp_path, 10)

    with pytest.raises(StorageError, match="has offset 18 already"):
        log.add(columns(2, 9), needs_salt=False)
    assert log.size == 10


def test_an_empty_batch_adds_nothing(tmp_path):
    log = filled(tmp_path, 3)
    log.add(columns(0), needs_salt=False)

    assert log.size == 3


def test_an_entry_is_found_by_its_offset(tmp_path):
    log = filled(tmp_path, 300)

    assert [log.index_of(each) for each in (0, 1, 2, 598, 599, 600, -1)] == [
        0, None, 1, 299, None, None, None,
    ]  # fmt: skip
    assert Entry.parse(log.entries(7, 8)) == log.entry(7)


@pytest.mark.parametrize("name", ["openings", "ends"])
def test_openings_that_were_dropped_are_named(tmp_path, name):
    filled(tmp_path, 300).close()
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(Unproven, match="damaged: a file of openings has"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["entries", "level-0", "level-1"])
def test_a_tail_that_was_dropped_is_named(tmp_path, name):
    filled(tmp_path, 300).close()
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(Unproven, match=f"damaged: {name} has"):
        opened(tmp_path)


def test_a_tile_that_does_not_lead_to_the_root_is_named(tmp_path):
    filled(tmp_path, 300).close()
    data = bytearray((tmp_path / "level-0").read_bytes())
    data[-1] ^= 1
    (tmp_path / "level-0").write_bytes(data)

    with pytest.raises(Unproven, match="do not lead to the root"):
        opened(tmp_path)


def test_a_checkpoint_of_another_key_or_another_log_is_not_taken(tmp_path):
    filled(tmp_path, 3).close()
    note = (tmp_path / "checkpoint").read_text()
    (tmp_path / "checkpoint").write_text(note.replace("\n3\n", "\n2\n"))

    with pytest.raises(Unproven, match="was altered"):
        opened(tmp_path)


def test_a_tile_is_served_in_any_width_that_there_is_and_in_no_other(tmp_path):
    log = filled(tmp_path, 300)

    assert len(log.tile(Tile(level=0, index=0))) == 256 * 32
    assert log.tile(Tile(level=0, index=1, width=44)) == log.hashes(0, 256, 300)
    assert log.tile(Tile(level=0, index=1, width=45)) is None
    assert log.tile(Tile(level=1, index=0, width=1)) == log.hashes(1, 0, 1)
    assert log.tile(Tile(level=2, index=0, width=1)) is None
    assert len(log.bundle(Tile(level=0, index=1, width=44))) == 44 * 72
    assert log.bundle(Tile(level=0, index=1)) is None


def test_the_files_are_nobody_elses(tmp_path):
    filled(tmp_path / "log", 3)

    assert {each.stat().st_mode & 0o77 for each in (tmp_path / "log").iterdir()} == {0}


def test_withheld_messages_leave_nothing_behind(tmp_path):
    log = opened(tmp_path)
    log.add(columns(3, is_salted=False), needs_salt=True)
    log.close()

    assert opened(tmp_path).size == 3
    found = verified(str(log_proof(tmp_path)), KEY.log_key)
    assert (found.entry.kind, found.message) == ("withheld", None)
    assert b"value-0" not in b"".join(each.read_bytes() for each in tmp_path.iterdir())


def log_proof(folder):
    return opened(folder).proof(0, is_opened=True)


def test_a_checkpoint_that_is_no_text_is_damage(tmp_path):
    (tmp_path / "checkpoint").write_bytes(b"\xff\xfe")

    with pytest.raises(Unproven, match="its checkpoint is no text"):
        Log(tmp_path, NAME, key_of("mesh.test/audit"))


def test_what_writes_to_a_file_that_was_closed_writes_into_no_other(tmp_path):
    closed = File(tmp_path / "a")
    closed.close()
    other = File(tmp_path / "b")
    other.write(0, b"precious")

    with pytest.raises(StorageError):
        closed.write(0, bytes(8))

    assert other.read(0, 8) == b"precious"
    other.close()
