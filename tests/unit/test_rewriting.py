"""A storage that is written anew has all its rows, and nothing of those that were deleted."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from mesh.errors import Rewritten, StorageError
from mesh.product import durable, rewriting
from mesh.product.rewriting import Rewriting, rewrite
from mesh.product.storage import Storage
from tests.mapped import notes_contract

# Longer than what DuckDB would keep in a compressed form that hides it, and never the same.
SECRET = "nobody-may-find-this-"


def opened(path) -> Storage:
    return Storage.open(path, [("input", "notes", notes_contract())])


@pytest.fixture
def path(tmp_path):
    """A storage in whose file a deleted row still stands."""
    path = tmp_path / "notes" / "storage.duckdb"
    storage = opened(path)
    storage.connection.execute('create table main."notes v2" as select 1 as id')
    rows = [{"id": f"{n}", "note": f"{SECRET if n < 9 else 'kept-'}{n:09}"} for n in range(20)]
    storage.insert("input", "notes", pa.Table.from_pylist(rows))
    storage.connection.execute("checkpoint")
    storage.connection.execute(f"delete from input.notes where note like '{SECRET}%'")
    storage.close()
    assert holds(path)
    return path


def holds(path) -> bool:
    """Whether any file of the storage's folder has the secret."""
    return any(
        SECRET.encode() in each.read_bytes() for each in path.parent.iterdir() if each.is_file()
    )


def contents(path):
    """Every table in the order of its rows."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() order by all"
        ).fetchall()
        return {
            (schema, name): connection.execute(f'from "{schema}"."{name}"').fetchall()
            for schema, name in tables
        }


def test_a_deleted_row_is_gone_from_the_file_and_all_else_is_as_it_was(path):
    before = contents(path)

    rewrite(path)

    assert not holds(path)
    assert contents(path) == before
    assert len(before["input", "notes"]) == 11
    opened(path).close()


@pytest.mark.parametrize(
    ("module", "step"), [(rewriting, "copy"), (rewriting, "put"), (durable, "synced")]
)
def test_whoever_is_stopped_in_between_leaves_a_whole_file_and_can_do_it_again(
    path, monkeypatch, module, step
):
    before = contents(path)

    def end(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, step, end)
        with pytest.raises(KeyboardInterrupt):
            rewrite(path)
    assert contents(path) == before
    rewrite(path)

    assert contents(path) == before
    assert not holds(path)


def test_what_a_replay_left_aside_goes_too(path):
    aside = path.with_name("storage.old")
    aside.write_bytes(path.read_bytes())

    rewrite(path)

    assert not aside.exists()


def test_it_is_done_once_it_was_asked_for_and_the_storage_let_go(path):
    asked = Rewriting(path)
    asked.check()
    asked.carry_out()
    assert holds(path)

    asked.ask()
    with pytest.raises(Rewritten):
        asked.check()
    asked.carry_out()

    assert (asked.asked_at, holds(path)) == (None, False)
    assert asked.done_at is not None
    asked.check()


def test_a_file_that_is_no_storage_is_an_error_of_ours(tmp_path):
    path = tmp_path / "storage.duckdb"
    path.write_text("no storage, but long enough to be read as one" * 100)

    with pytest.raises(StorageError):
        rewrite(path)
