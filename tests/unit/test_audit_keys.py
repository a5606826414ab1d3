"""Which entries are of a key: found whatever became of the file, and forgotten when erased."""

from __future__ import annotations

import pytest

from tests.unit.test_audit_store import BEFORE, filled, opened


@pytest.mark.parametrize("length", [0, 16 * 7 + 3])
def test_a_key_is_found_though_the_file_of_keys_was_lost_or_cut(tmp_path, length):
    log = filled(tmp_path, BEFORE)
    found, latest = log.openings.of(b"key-3", BEFORE), log.openings.latest(BEFORE)
    log.openings.destroy([found[0][0]], "2026-1")
    log.close()
    keys = (tmp_path / "keys").read_bytes()
    (tmp_path / "keys").write_bytes(keys[:length])
    log = opened(tmp_path)

    assert len(found) == len([each for each in range(BEFORE) if each % 7 == 3])
    assert log.openings.of(b"key-3", BEFORE) == found[1:]
    assert log.openings.of(b"key-3", found[5][0]) == found[1:5]
    assert log.openings.before([(found[1][0], b"key-3"), (found[2][0], b"key-3"), (5, b"x")]) == [
        None, found[1][1], None,
    ]  # fmt: skip
    assert log.openings.latest(BEFORE) == latest
    assert (tmp_path / "keys").read_bytes() == keys
    log.close()


def test_nothing_is_kept_of_the_key_of_a_destroyed_opening(tmp_path):
    log = filled(tmp_path, BEFORE)
    log.openings.destroy([7], "2026-1")
    log.close()
    keys = (tmp_path / "keys").read_bytes()

    assert keys[16 * 7 : 16 * 8] == bytes(16)
    assert keys.count(bytes(16)) == 1
