"""Tests of the way of the data: staging topic, DuckDB, output topic."""

from __future__ import annotations

import pytest

from mesh.product.systems import find_systems

pytestmark = pytest.mark.broker


def calls(count: int, start: int = 0):
    return next(iter(find_systems()["call-center"].batches(7, count, start=start)))


def test_calls_go_from_the_system_through_kafka_into_duckdb_and_out_again(workbench):
    workbench.feed("call-center", calls(500))

    with workbench.running("call-center") as runtime:
        workbench.settle(runtime, 500)
        stored = runtime._storage.connection.execute("select count(*) from main.calls").fetchall()
    published = workbench.messages(workbench.contract("call-center.calls").topic)

    assert stored == [(500,)]
    assert len({message.key() for message in published}) == len(published) == 500
