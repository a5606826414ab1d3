"""Tests of the internal storage: its transactions, its position, and what it cannot be used for."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from mesh.errors import StorageError
from mesh.product.outbox import OUTBOX, no_messages
from mesh.product.position import Position
from mesh.product.storage import Storage
from tests.mapped import notes_contract

INPUT = ("input", "notes")


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "notes" / "storage.duckdb"


@pytest.fixture
def storage(path):
    storage = opened(path)
    yield storage
    storage.close()


def opened(path: Path) -> Storage:
    return Storage.open(path, [(*INPUT, notes_contract())])


def messages(*keys: str) -> pa.Table:
    rows = [
        {"topic": "t", "key": key.encode(), "value": b"v", "id": key, "time": NOW, "trace": None}
        for key in keys
    ]
    return pa.Table.from_pylist(rows, OUTBOX)


NOW = datetime(2026, 3, 2, tzinfo=UTC)


def commit(storage: Storage, *keys: str, offset: int):
    with storage.transaction():
        batch = storage.save(messages(*keys) if keys else no_messages(), {"t": {0: offset}})
    storage.committed(batch)
    return batch


def waiting(storage: Storage, position: Position | None) -> list[list[str]]:
    """The keys of what is to be published, by batch."""
    return [
        [key.decode() for key in batch.outbox["key"].to_pylist()]
        for batch in storage.unpublished(position)
    ]


def outbox_of(storage: Storage) -> list[str]:
    rows = storage.connection.execute("select id from mesh.outbox order by seq").fetchall()
    return [id_ for (id_,) in rows]


def test_what_is_committed_is_there_after_the_next_opening(path):
    first = opened(path)
    batch = commit(first, "a", "b", offset=7)
    first.close()

    again = opened(path)

    assert (again.seq, again.offsets) == (2, {"t": {0: 7}})
    assert again.knows(batch.position)
    assert waiting(again, None) == [["a", "b"]]
    again.close()


def test_a_transaction_that_fails_leaves_nothing(storage):
    commit(storage, "a", offset=1)

    with pytest.raises(TypeError), storage.transaction():
        storage.save(messages("b"), {"t": {0: object()}})

    assert (storage.seq, storage.offsets) == (1, {"t": {0: 1}})
    assert outbox_of(storage) == ["a"]


def test_what_duckdb_refuses_is_an_error_of_ours_on_one_line(storage):
    with pytest.raises(StorageError) as found, storage.transaction():
        storage.insert("input", "nothing", pa.table({"a": [1]}))

    assert "\n" not in str(found.value)
    assert "nothing of it is kept" in str(found.value)


def test_what_comes_after_the_position_is_published_in_order_with_its_offsets(storage):
    first = commit(storage, "a", "b", offset=1)
    commit(storage, offset=2)
    commit(storage, "c", offset=3)
    commit(storage, "d", offset=4)

    assert waiting(storage, None) == [["a", "b"], ["c"], ["d"]]
    assert waiting(storage, first.position) == [["c"], ["d"]]
    assert [each.offsets for each in storage.unpublished(first.position)] == [
        {"t": {0: 3}},
        {"t": {0: 4}},
    ]


def test_a_published_batch_stays_known_until_a_later_one_is_published(storage):
    first = commit(storage, "a", offset=1)
    storage.published = first.position
    second = commit(storage, "b", offset=2)
    third = commit(storage, offset=3)

    assert storage.knows(first.position)
    assert outbox_of(storage) == ["b"]
    storage.published = second.position
    storage.prune()
    assert not storage.knows(first.position)
    assert storage.knows(second.position)
    assert outbox_of(storage) == []
    assert storage.offsets == third.offsets


def test_to_adopt_a_position_is_to_forget_what_waited(storage):
    commit(storage, "a", offset=5)
    theirs = Position(batch="theirs", seq=40, offsets={"t": {0: 5}})

    with storage.transaction():
        storage.adopt(theirs)

    assert storage.knows(theirs)
    assert waiting(storage, theirs) == []
    assert commit(storage, "b", offset=6).seq == 41
    assert waiting(storage, theirs) == [["b"]]


def test_a_topic_made_anew_is_recognized(path, storage):
    storage.recognize({"t": "id-1", "u": "id-2"})
    storage.recognize({"t": "id-1", "v": "id-3"})

    with pytest.raises(StorageError, match=r"v was made anew .* remove the file") as found:
        storage.recognize({"t": "id-1", "v": "id-4"})
    assert str(path) in str(found.value)


def test_a_storage_in_use_names_the_process_that_has_it(path, storage):
    code = (
        "import sys; from pathlib import Path; from mesh.product.storage import Storage;"
        " Storage.open(Path(sys.argv[1]), [])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )

    assert done.stderr.splitlines()[-1] == (
        f"mesh.errors.AlreadyRunning: notes already runs (pid {os.getpid()} has its storage open)"
    )


def test_a_file_that_is_no_storage_is_refused_with_what_to_do(path):
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(StorageError, match="remove the file: it is rebuilt from the topics"):
        opened(path)


def test_a_full_disk_stops_the_batch_and_harms_nothing_before_it(path):
    """A limit on the size of files stands for a disk that is full."""
    code = """
import resource, sys
from pathlib import Path
import pyarrow as pa
from mesh.errors import StorageError
from tests.unit.test_storage import commit, opened

storage = opened(Path(sys.argv[1]))
commit(storage, "a", offset=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    for number in range(2, 100):
        commit(storage, *(f"{number}-{row}-{row ** 40}" for row in range(5000)), offset=number)
except StorageError as error:
    print(number, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )

    assert done.stdout, done.stderr
    number, _, text = done.stdout.partition(" ")
    assert "make room" in text
    again = opened(path)
    assert again.offsets["t"][0] < int(number)
    assert outbox_of(again)[0] == "a"
    assert len(outbox_of(again)) == again.seq
    again.close()


def test_a_contract_that_has_lost_a_field_keeps_its_other_columns(path, storage):
    storage.connection.execute("alter table input.notes add column gone varchar")
    storage.close()

    again = opened(path)

    columns = again.connection.execute("select * from input.notes").description
    assert "gone" not in [name for name, *_ in columns]
    again.close()


def test_a_contract_that_has_gained_a_field_has_it_from_now_on(path, storage):
    storage.connection.execute("alter table input.notes drop column tags")
    storage.close()

    again = opened(path)

    columns = again.connection.execute("select * from input.notes").description
    assert "tags" in [name for name, *_ in columns]
    again.close()


def test_batches_of_a_product_that_says_nothing_do_not_pile_up(tmp_path):
    storage = Storage.open(tmp_path / "storage.duckdb", [])
    for number in range(250):
        with storage.transaction():
            batch = storage.save(no_messages(), {"topic": {0: number}})
        storage.committed(batch)
        storage.prune()

    found = storage.connection.execute("select count(*) from mesh.batches").fetchall()[0][0]
    storage.close()
    assert found <= 101
