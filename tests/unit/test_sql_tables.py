"""Topics become tables, and tables become copies: the rows of a replay, with their offsets."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.errors import MeshError
from mesh.sql import shelf as shelf_module
from mesh.sql.shelf import Shelf, name_of
from tests.sql import EVENTS, SCHEMA, messages_of
from tests.strategies import field_of

ID = bytes(range(16))
# Key, and the number of its new row; None deletes it.
said = st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 9)), max_size=12)


def shelf_of(folder, contract=EVENTS):
    return Shelf(folder, [contract], {7: SCHEMA}.get)


def rows_of(shown):
    """The rows of a copy."""
    with duckdb.connect(str(shown.copy.path), read_only=True) as connection:
        return sorted(connection.execute("select id, n from main.rows").fetchall())


def seen(shelf):
    """The copy that somebody who asks now is shown."""
    found = []
    asking = threading.Thread(target=lambda: found.extend(shelf.current([EVENTS.id])))
    asking.start()
    while asking.is_alive():
        shelf.refresh()
        time.sleep(0.01)
    return found[0]


def replayed(pairs, kind):
    """The rows after messages, one by one."""
    rows = []
    for key, n in pairs:
        if kind == "state" or n is None:
            rows = [each for each in rows if each[0] != key]
        if n is not None:
            rows.append((key, n))
    return sorted(rows)


@settings(max_examples=25, deadline=None)
@given(batches=st.lists(said, max_size=4), kind=st.sampled_from(["event", "state"]))
def test_a_table_has_the_rows_of_a_replay(tmp_path_factory, batches, kind):
    shelf = shelf_of(tmp_path_factory.mktemp("shelf"), replace(EVENTS, kind=kind))
    shelf.has_looked = True
    table = shelf.open(EVENTS.topic, ID)
    first = 0
    for batch in batches:
        table.take(messages_of(batch, first=first))
        first += 2 * len(batch)
    found = rows_of(seen(shelf))
    shelf.close()

    assert found == replayed([pair for batch in batches for pair in batch], kind)


def test_what_is_no_row_is_passed_over(tmp_path):
    shelf = shelf_of(tmp_path)
    shelf.has_looked = True
    table = shelf.open(EVENTS.topic, ID)
    table.take(messages_of([("a", 1), ("b", b"junk"), ("c", b"\0\0\0\0\7\xff"), ("d", 4)]))

    assert rows_of(seen(shelf)) == [("a", 1), ("d", 4)]
    shelf.close()


def test_it_goes_on_at_its_offsets_and_begins_anew_for_another_topic_or_columns(tmp_path):
    shelf = shelf_of(tmp_path)
    table = shelf.open(EVENTS.topic, ID)
    table.take([*messages_of([("a", 1)]), *messages_of([("b", 1)], partition=2, first=40)])
    shelf.close()
    again = shelf_of(tmp_path)

    table = again.open(EVENTS.topic, ID)
    assert (table.offsets, table.count()) == ({0: 1, 2: 41}, 2)
    table = again.open(EVENTS.topic, bytes(16))
    assert (table.offsets, table.count()) == ({}, 0)
    again.close()

    wider = shelf_of(tmp_path, replace(EVENTS, fields=(*EVENTS.fields, field_of("more"))))
    table = wider.open(EVENTS.topic, bytes(16))
    assert (table.offsets, table.count()) == ({}, 0)
    wider.close()


def test_a_file_that_is_damaged_is_made_anew(tmp_path):
    shelf_of(tmp_path).close()
    (tmp_path / "tables" / f"{EVENTS.id}.duckdb").write_bytes(b"junk" * 5000)
    shelf = shelf_of(tmp_path)

    assert shelf.open(EVENTS.topic, ID).count() == 0
    shelf.close()


def test_what_retention_took_from_a_topic_goes_too(tmp_path):
    shelf = shelf_of(tmp_path)
    table = shelf.open(EVENTS.topic, ID)
    table.take(messages_of([("a", 1), ("b", 2), ("c", 3)]))
    table.forget(0, 3)

    assert table.count() == 1
    shelf.close()


def test_a_copy_says_its_offsets_and_has_no_column_beside_its_contracts(tmp_path):
    shelf = shelf_of(tmp_path)
    shelf.has_looked = True
    shelf.open(EVENTS.topic, ID).take(messages_of([("a", 1), ("b", 2)]))
    shown = seen(shelf)

    assert shown.offsets == {"0": 3}
    assert shown.copy.columns == ("id", "n", "at")
    assert name_of(EVENTS) == ("sales", "shop", "orders")
    shelf.close()


def test_a_copy_is_made_anew_when_rows_have_changed_and_not_before(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf_module, "EVERY_S", 0.0)
    shelf = shelf_of(tmp_path)
    shelf.has_looked = True
    table = shelf.open(EVENTS.topic, ID)
    first = seen(shelf)
    same = seen(shelf)
    table.take(messages_of([("a", 1)]))
    changed = seen(shelf)

    assert first.copy.generation == same.copy.generation < changed.copy.generation
    assert rows_of(changed) == [("a", 1)]
    for number in range(3):
        table.take(messages_of([("b", number)], first=10 + number))
        seen(shelf)
    assert not first.copy.path.exists()
    assert len(list((tmp_path / "copies").iterdir())) == shelf_module.KEPT_COPIES
    shelf.close()
    assert list((tmp_path / "copies").iterdir()) == []


def test_nobody_is_shown_rows_before_anybody_has_looked(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf_module, "WAIT_S", 0.1)
    shelf = shelf_of(tmp_path)

    with pytest.raises(MeshError, match="not there yet"):
        shelf.current([EVENTS.id])
    shelf.has_looked = True
    assert shelf.current([EVENTS.id, "nobody.knows"]) == []
    shelf.close()


def test_what_nobody_asks_for_is_not_copied(tmp_path):
    shelf = shelf_of(tmp_path)
    shelf.open(EVENTS.topic, ID).take(messages_of([("a", 1)]))
    shelf.refresh()

    assert list((tmp_path / "copies").iterdir()) == []
    shelf.close()
