"""Tests of when what is published leaves the outbox."""

from __future__ import annotations

import pytest

from mesh.product import pruning
from mesh.product.position import Position
from mesh.product.relay import RelayFailed
from tests.unit.test_storage import commit, opened, outbox_of


@pytest.fixture
def storage(tmp_path, monkeypatch):
    # Else a slow machine would decide.
    monkeypatch.setattr(pruning, "PERIOD_S", 1e9)
    storage = opened(tmp_path / "storage.duckdb")
    yield storage
    storage.close()


def published(storage, *keys: str) -> Position:
    """Commit a batch, and publish it."""
    storage.published = commit(storage, *keys, offset=storage.seq + 1).position
    return storage.published


def test_small_batches_are_dropped_together_once_they_are_many(storage, monkeypatch):
    monkeypatch.setattr(pruning, "ROWS", 3)

    kept = [len(outbox_of(storage)) for _ in range(8) if published(storage, "a")]

    assert kept == [1, 2, 3, 1, 2, 3, 1, 2]


def test_what_is_published_is_dropped_after_a_while_however_little_it_is(storage, monkeypatch):
    for key in "abc":
        published(storage, key)
    assert outbox_of(storage) == ["a", "b", "c"]

    monkeypatch.setattr(pruning, "PERIOD_S", 0.0)
    published(storage, "d")

    assert outbox_of(storage) == ["d"]


def test_what_is_published_is_dropped_at_once_where_nothing_more_comes(storage):
    for key in "abc":
        published(storage, key)

    storage.prune()

    assert outbox_of(storage) == []


def test_batches_that_say_nothing_are_forgotten_too(storage, monkeypatch):
    monkeypatch.setattr(pruning, "PERIOD_S", 0.0)
    published(storage, "a")
    for offset in range(10, 20):
        commit(storage, offset=offset)

    rows = storage.connection.execute("select count(*) from mesh.batches").fetchall()
    assert rows == [(2,)]


def test_what_a_transaction_that_fails_would_have_dropped_is_dropped_by_the_next(
    storage, monkeypatch
):
    monkeypatch.setattr(pruning, "PERIOD_S", 0.0)
    published(storage, "a")
    with pytest.raises(ValueError, match="no"), storage.transaction():
        raise ValueError("no")
    assert outbox_of(storage) == ["a"]

    commit(storage, "b", offset=9)

    assert outbox_of(storage) == ["b"]


def test_an_outbox_that_is_spent_is_made_anew_though_a_batch_is_on_its_way(storage, monkeypatch):
    monkeypatch.setattr(pruning, "PERIOD_S", 0.0)
    monkeypatch.setattr(pruning, "SPENT_BYTES", 0)
    on_its_way = commit(storage, "a", offset=1).position

    def settle() -> None:
        storage.published = on_its_way

    storage.settle = settle
    commit(storage, "b", offset=2)

    assert outbox_of(storage) == ["b"]
    # Of an outbox that was only emptied, a row's place would be its second.
    found = storage.connection.execute("select rowid from mesh.outbox").fetchall()
    assert found == [(0,)]


def test_what_was_on_its_way_and_failed_stops_the_next_batch_before_it_begins(storage, monkeypatch):
    monkeypatch.setattr(pruning, "SPENT_BYTES", 0)
    commit(storage, "a", offset=1)

    def settle() -> None:
        raise RelayFailed("no")

    storage.settle = settle
    with pytest.raises(RelayFailed):
        commit(storage, "b", offset=2)

    assert (storage.seq, outbox_of(storage)) == (1, ["a"])


def test_an_outbox_that_a_failed_batch_would_have_made_anew_is_made_anew_by_the_next(
    storage, monkeypatch
):
    monkeypatch.setattr(pruning, "PERIOD_S", 0.0)
    monkeypatch.setattr(pruning, "SPENT_BYTES", 0)
    published(storage, "a")
    with pytest.raises(ValueError, match="no"), storage.transaction():
        raise ValueError("no")

    commit(storage, "b", offset=9)

    found = storage.connection.execute("select rowid from mesh.outbox").fetchall()
    assert found == [(0,)]
