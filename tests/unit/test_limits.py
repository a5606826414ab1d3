"""Tests that a storage neither grows with what has gone through it, nor ends at large rows."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from mesh.contract.project import load_project
from mesh.errors import NoMemory
from mesh.product import storage_memory
from mesh.product.engine import Engine
from mesh.product.plan import Plan, plan_product
from mesh.product.retention import Retention
from mesh.product.storage import Storage
from tests.arrivals import AT, Registered, arrival
from tests.repository import ROOT

TOPIC = "priv.customer-service.call-center.finished-calls.v1"
PIECE = 10_000
MINUTE = timedelta(minutes=1)


@pytest.fixture
def plan() -> Plan:
    """The call center, which keeps nothing of its input and its output for an hour."""
    found = plan_product(load_project(ROOT), "call-center")
    source = replace(found.inputs[0], keep="none")
    output = found.events[0]
    contract = replace(output.contract, retention_ms=3_600_000)
    output = replace(output, source=source, port=replace(output.port, contract=contract))
    return replace(found, inputs=(source,), events=(output,))


def sizes(plan: Plan, path, batches: int) -> list[int]:
    """The size of the file and its log after each of so many batches, of 10 minutes each."""
    storage = Storage.open(path, plan.tables)
    engine = Engine(plan, storage, Registered())
    now = [AT]
    engine.retention = Retention(plan, storage, lambda: now[0])
    template = arrival(plan, [1] * PIECE)
    found = []
    for number in range(batches):
        now[0] = AT + number * 10 * MINUTE
        start = number * PIECE
        columns = {
            "offset": pa.array(range(start, start + PIECE), pa.int64()),
            "time": pa.repeat(pa.scalar(now[0], template.causes.schema.field("time").type), PIECE),
        }
        causes = template.causes
        for name, column in columns.items():
            causes = causes.set_column(causes.schema.get_field_index(name), name, column)
        texts = pa.array([os.urandom(40).hex() for _ in range(PIECE)], pa.string())
        place = template.rows.schema.get_field_index("reason")
        rows = template.rows.set_column(place, "reason", texts)
        came = replace(template, rows=rows, causes=causes)
        (batch,) = engine.take_in([came], {TOPIC: {0: start + PIECE}})
        assert batch.outbox.num_rows == PIECE
        # What the relay does once it is published.
        storage.published = batch.position
        engine.retention.prune_now()
        files = [path, path.with_name(path.name + ".wal")]
        found.append(sum(each.stat().st_size for each in files if each.exists()))
    storage.close()
    return found


def assert_flat(found: list[int]) -> None:
    """What the storage takes later is not more than it took once an hour was full."""
    early, late = found[: len(found) // 2], found[len(found) // 2 :]
    assert max(late) <= 1.2 * max(early), [each // 1024**2 for each in found]


@pytest.mark.slow
def test_the_file_does_not_grow_with_what_has_gone_through_the_outbox(plan, tmp_path):
    assert_flat(sizes(plan, tmp_path / "storage" / "storage.duckdb", 50))


@pytest.mark.slow
def test_without_retention_the_same_file_grows(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(Retention, "prune_now", lambda self: None)

    with pytest.raises(AssertionError):
        assert_flat(sizes(plan, tmp_path / "storage" / "storage.duckdb", 50))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_file_does_not_grow_with_ten_million_rows_through_the_outbox(plan, tmp_path):
    assert_flat(sizes(plan, tmp_path / "storage" / "storage.duckdb", 1_000))


def put_large(storage: Storage, plan: Plan, count: int) -> None:
    """So many rows of 60 KB, in batches."""
    for _ in range(0, count, 50):
        rows = arrival(plan, [1] * 50).rows
        texts = [base64.b64encode(os.urandom(45_000)).decode() for _ in range(50)]
        place = rows.schema.get_field_index("reason")
        rows = rows.set_column(place, "reason", pa.array(texts, pa.string()))
        with storage.transaction():
            storage.insert("input", "finished_calls", rows.drop_columns(["_cause"]))


def test_a_storage_whose_rows_do_not_fit_takes_more_memory_once_it_is_opened_anew(plan, tmp_path):
    path = tmp_path / "storage" / "storage.duckdb"
    # Of state, row groups are put together while it runs.
    tables = [(schema, name, replace(each, kind="state")) for schema, name, each in plan.tables]
    storage = Storage.open(path, tables)
    with pytest.raises(NoMemory, match=r"needs more than 64 MB .* may take 128 MB"):
        put_large(storage, plan, 3_000)
    storage.close()

    storage = Storage.open(path, tables)
    put_large(storage, plan, 50)

    assert rows_in(storage) > 500
    storage.close()


def test_a_storage_of_events_is_opened_in_the_memory_that_its_rows_take(plan, tmp_path):
    path = tmp_path / "storage" / "storage.duckdb"
    storage = Storage.open(path, plan.tables)
    put_large(storage, plan, 3_000)
    storage.close()

    # Row groups are put together when it is opened, and whole ones must fit.
    storage = Storage.open(path, plan.tables)
    put_large(storage, plan, 50)

    assert storage_memory.limit_mb(path) > storage_memory.LEAST_MB
    assert rows_in(storage) == 3_050
    storage.close()


def rows_in(storage: Storage) -> int:
    sql = "select count(*) from input.finished_calls"
    return int(storage.connection.execute(sql).fetchall()[0][0])


def test_a_storage_that_takes_the_most_says_what_to_do(tmp_path):
    path = tmp_path / "storage.duckdb"
    said = [str(storage_memory.memory_error(path)) for _ in range(4)]

    assert [storage_memory.limit_mb(path)] == [512]
    assert "may take 512 MB" in said[2]
    assert "make them less" in said[3]


def test_a_note_that_is_none_is_as_none(tmp_path):
    path = tmp_path / "storage.duckdb"
    storage_memory.note_of(path).write_text("much\n")

    assert storage_memory.limit_mb(path) == 64
