"""What opens an entry is destroyed for good, whatever stops it, and its entry proves on."""

from __future__ import annotations

import shutil

import pytest

from mesh.audit.keyfile import digests_of
from mesh.audit.note import LogKey
from mesh.audit.proof import verified
from mesh.errors import StorageError
from tests.audit import columns
from tests.unit.test_audit_store import ADDED, BEFORE, filled, opened


def test_a_destroyed_opening_is_gone_from_the_file_and_its_entry_proves_on(tmp_path):
    log = filled(tmp_path, BEFORE)
    opening, note = log.openings.at(7), log.note
    kept = [each for each in log.openings.since(0, BEFORE) if each[0] not in (7, 8)]

    assert log.openings.destroy([7, 8], "2026-1") == 2

    assert log.openings.since(0, BEFORE) == kept
    assert log.openings.erased(0, BEFORE) == [(7, "2026-1"), (8, "2026-1")]
    assert verified(str(log.proof(7, is_opened=True)), LogKey.parse(log.key)).message is None
    assert log.note == note
    log.add(columns(ADDED, BEFORE), needs_salt=False)
    log.close()
    assert opening is not None
    files = [each.read_bytes() for each in tmp_path.iterdir()]
    assert opening[-20:] not in b"".join(files)


def test_what_was_erased_is_told_once_and_after_a_start_too(tmp_path):
    log = filled(tmp_path, BEFORE)
    log.openings.destroy([7], "2026-1")

    assert log.openings.destroy([7, 9], "2026-2") == 1

    log.close()
    again = opened(tmp_path)
    assert again.openings.erased(0, BEFORE) == [(7, "2026-1"), (9, "2026-2")]
    assert again.openings.erased(8, 9) == []
    again.close()


@pytest.mark.parametrize("is_asked_again", [False, True])
def test_a_destruction_that_was_stopped_is_gone_on_with(tmp_path, is_asked_again):
    log = filled(tmp_path, BEFORE)
    opening, key = log.openings.at(9), digests_of([b"key-2"])[0]
    as_they_were = {name: (tmp_path / name).read_bytes() for name in ("openings", "keys")}
    log.openings.destroy([9], "2026-1")
    for name, data in as_they_were.items():
        (tmp_path / name).write_bytes(data)
    assert log.openings.since(9, 10) == []
    if is_asked_again:
        assert log.openings.destroy([], "2026-1") == 0
    log.close()
    if not is_asked_again:
        opened(tmp_path).close()

    assert opening in as_they_were["openings"]
    assert opening not in (tmp_path / "openings").read_bytes()
    assert (tmp_path / "keys").read_bytes().count(key) == as_they_were["keys"].count(key) - 1


def test_what_was_erased_behind_the_checkpoint_says_nothing_of_what_comes_there(tmp_path):
    filled(tmp_path / "log", BEFORE).close()
    shutil.copytree(tmp_path / "log", tmp_path / "copy")
    filled(tmp_path / "log", ADDED).openings.destroy([BEFORE + 1], "2026-1")
    shutil.copy(tmp_path / "log/erased", tmp_path / "copy/erased")
    opened(tmp_path / "copy").close()
    filled(tmp_path / "copy", ADDED).close()
    log = opened(tmp_path / "copy")

    assert log.openings.erased(0, log.size) == []
    assert log.openings.at(BEFORE + 1) is not None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"2026-1": ["x"]}', '{"2026-1": 1}'])
def test_a_list_of_what_was_erased_that_is_damaged_is_named(tmp_path, text):
    filled(tmp_path, 3).close()
    (tmp_path / "erased").write_text(text)

    with pytest.raises(StorageError, match="erased is damaged; put"):
        opened(tmp_path)
