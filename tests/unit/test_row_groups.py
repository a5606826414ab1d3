"""Tests of what a storage's checkpoints do with the row groups of its tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mesh.contract.model import PortKind
from mesh.product.storage import Storage
from tests.mapped import notes_contract


def opened(path: Path, kind: PortKind) -> Storage:
    return Storage.open(path, [("input", "notes", replace(notes_contract(), kind=kind))])


def row_groups(storage: Storage) -> int:
    sql = """select count(distinct row_group_id) from pragma_storage_info('"input".notes')"""
    return int(storage.connection.execute(sql).fetchall()[0][0])


def checkpointed(path: Path, kind: PortKind) -> int:
    """How many row groups a table has after two checkpoints with rows."""
    storage = opened(path, kind)
    for number in range(2):
        storage.connection.execute(f'insert into "input".notes (id) values ({number})')
        storage.connection.execute("checkpoint")
    found = row_groups(storage)
    storage.close()
    return found


def test_row_groups_are_written_again_only_where_rows_are_replaced(tmp_path):
    assert checkpointed(tmp_path / "events" / "storage.duckdb", "event") == 2
    assert checkpointed(tmp_path / "states" / "storage.duckdb", "state") == 1


def test_opened_anew_a_storage_of_events_has_its_row_groups_put_together(tmp_path):
    path = tmp_path / "notes" / "storage.duckdb"
    assert checkpointed(path, "event") == 2

    storage = opened(path, "event")

    assert row_groups(storage) == 1
    storage.close()
