"""Tests of what a storage does when the contracts of its ports have changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesh.contract.model import Contract
from mesh.errors import StorageError
from mesh.product.storage import Storage
from tests.strategies import contract_of, field_of

ID = field_of("id", key=1, required=True)
FIRST = contract_of(ID, field_of("note"))
SECOND = replace(FIRST, id="shop.orders.v2", version="2.0.0", topic="pub.sales.shop.orders.v2")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop" / "storage.duckdb"


def opened(path, *tables: tuple[str, str, Contract]) -> Storage:
    return Storage.open(path, tables)


def rows(storage: Storage, table: str) -> list[tuple[object, ...]]:
    return storage.connection.execute(f"select * from {table} order by all").fetchall()


def fill(path, *tables: tuple[str, str, Contract]) -> None:
    """A storage that has taken in one order, up to offset 7, and knows its topics."""
    storage = opened(path, *tables)
    for schema, name, _ in tables:
        columns = "(id, note, _partition, _offset)"
        storage.connection.execute(
            f"insert into {schema}.\"{name}\" {columns} values ('a', 'b', 0, 6)"
        )
    storage.connection.execute(
        "update mesh.state set offsets = ?", [f'{{"{FIRST.topic}": {{"0": 7}}}}']
    )
    storage.connection.execute("insert into mesh.topics values (?, 'x')", [FIRST.topic])
    storage.close()


def test_an_optional_field_that_is_removed_is_a_column_dropped(path):
    fill(path, ("input", "orders", FIRST))

    storage = opened(path, ("input", "orders", contract_of(ID)))

    assert rows(storage, "input.orders") == [("a", 0, 6)]
    assert storage.offsets == {FIRST.topic: {0: 7}}
    storage.close()


def test_an_optional_field_that_is_added_is_null_in_the_rows_of_before(path):
    fill(path, ("input", "orders", FIRST))

    storage = opened(path, ("input", "orders", contract_of(*FIRST.fields, field_of("more"))))

    assert storage.connection.execute("select more, note from input.orders").fetchall() == [
        (None, "b")
    ]
    storage.close()


def test_a_field_of_another_type_is_refused_and_nothing_is_changed(path):
    fill(path, ("input", "orders", FIRST))
    other = contract_of(ID, field_of("note", "integer"), field_of("more"))

    with pytest.raises(StorageError, match=r"note of shop\.orders as VARCHAR, and the contract"):
        opened(path, ("input", "orders", other))

    storage = opened(path, ("input", "orders", FIRST))
    assert rows(storage, "input.orders") == [("a", "b", 0, 6)]
    storage.close()


def test_the_same_types_are_the_same_however_they_are_written(path):
    parts = [{"name": "asof", "logicalType": "timestamp"}, {"name": "last", "logicalType": "date"}]
    nested = contract_of(
        ID,
        field_of("place", "object", properties=parts),
        field_of("days", "array", items={"logicalType": "date"}),
        field_of("amount", "number", physicalType="decimal(12,2)"),
        field_of("at", "timestamp"),
    )
    opened(path, ("input", "orders", nested)).close()

    opened(path, ("input", "orders", nested)).close()


def test_an_input_port_that_reads_another_topic_must_have_another_name(path):
    fill(path, ("input", "orders", FIRST))

    with pytest.raises(StorageError, match=r"orders has read .*v1, and .*v2 is another topic"):
        opened(path, ("input", "orders", SECOND))


def test_a_port_that_writes_another_topic_is_a_second_major(path):
    fill(path, ("main", "orders", FIRST))

    with pytest.raises(StorageError, match=r"is a port beside the old one, shop\.orders\.v2"):
        opened(path, ("main", "orders", replace(SECOND, id="shop.orders")))


def test_what_a_port_kept_that_is_gone_is_gone_and_read_anew_if_it_comes_back(path):
    fill(path, ("input", "orders", FIRST))
    opened(path, ("input", "orders_v2", SECOND)).close()

    storage = opened(path, ("input", "orders_v2", SECOND), ("input", "orders", FIRST))

    assert rows(storage, "input.orders") == []
    assert storage.offsets == {}
    storage.recognize({FIRST.topic: "another id"})
    storage.close()


def test_an_output_port_that_is_gone_takes_its_unsaid_messages_along(path):
    fill(path, ("main", "orders", FIRST), ("main", "orders_v2", SECOND))
    storage = opened(path, ("main", "orders", FIRST), ("main", "orders_v2", SECOND))
    for topic in (FIRST.topic, SECOND.topic):
        storage.connection.execute("insert into mesh.outbox (seq, topic) values (1, ?)", [topic])
    storage.connection.execute("insert into mesh.state_ports values (?, 'x')", [FIRST.id])
    storage.close()

    storage = opened(path, ("main", "orders_v2", SECOND))

    assert rows(storage, "mesh.state_ports") == []
    assert storage.connection.execute("select topic from mesh.outbox").fetchall() == [
        (SECOND.topic,)
    ]
    storage.close()


def test_a_port_that_has_only_another_name_keeps_its_rows_and_place(path):
    fill(path, ("input", "orders", FIRST))

    storage = opened(path, ("input", "purchases", FIRST))

    assert rows(storage, "input.purchases") == [("a", "b", 0, 6)]
    assert storage.offsets == {FIRST.topic: {0: 7}}
    storage.close()
