"""Tests of a batch's state half without a broker: what is said, with which id, time and trace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from mesh.contract.model import OutputPort
from mesh.contract.project import load_project
from mesh.contract.types import arrow_schema
from mesh.product import engine
from mesh.product.causes import CAUSES
from mesh.product.engine import Engine
from mesh.product.intake import Arrival, Deletion
from mesh.product.plan import Input, Plan, StateOutput
from mesh.product.state_query import read_state_query
from mesh.product.storage import Storage
from mesh.product.transform import CAUSE
from tests.repository import ROOT

IDS = [f"0f0f0f0f-0000-4000-8000-00000000000{n}" for n in range(6)]


class Registered:
    """A registry that knows every schema."""

    def find(self, subject: str, schema: dict[str, object]) -> int:
        return 7


@pytest.fixture
def plan(tmp_path) -> Plan:
    """A state port keyed by the event's id, as an enrichment is."""
    product = load_project(ROOT).product("call-center")
    calls = product.outputs[0].contract
    contract = replace(calls, id="p.known", name="known", kind="state", topic="pub.d.p.known.v1")
    (tmp_path / "known.sql").write_text("select * from calls where duration_s > 0")
    (tmp_path / "known.keys.sql").write_text(
        "-- key input: calls\nselect call_id from changed_calls"
    )
    query = read_state_query(tmp_path / "known.sql", contract, {"calls": calls})
    port = OutputPort(name="known", contract=contract, sql_path=query.path)
    return Plan(
        product=product,
        inputs=(Input(name="calls", contract=calls, rejected_topic="rejected"),),
        events=(),
        states=(StateOutput(port=port, query=query),),
    )


@pytest.fixture
def storage(plan, tmp_path):
    found = Storage.open(tmp_path / "storage" / "storage.duckdb", plan.tables)
    yield found
    found.close()


def arrival(plan: Plan, ids: list[str], gone: list[str] = [], offset: int = 0) -> Arrival:  # noqa: B006 - read only
    """Calls that came, and then tombstones."""
    at = datetime(2026, 3, 2, 9, 0, 30, 250_000, tzinfo=UTC)
    rows = [
        {
            "call_id": each, "phone_number": "+12025550100", "queue": "billing",
            "started_at": at, "ended_at": at, "duration_s": number, CAUSE: number,
        }
        for number, each in enumerate(ids)
    ]  # fmt: skip
    count = len(ids) + len(gone)
    causes = [
        {
            "topic": "t", "partition": 0, "offset": offset + number,
            "time": at.replace(minute=number), "trace": f"trace {number}",
        }
        for number in range(count)
    ]  # fmt: skip
    source = plan.inputs[0]
    schema = arrow_schema(source.contract).append(pa.field(CAUSE, pa.int64()))
    return Arrival(
        source=source,
        rows=pa.Table.from_pylist(rows, schema),
        causes=pa.Table.from_pylist(causes, CAUSES),
        deletions=tuple(
            Deletion(cause=len(ids) + number, key=each.encode()) for number, each in enumerate(gone)
        ),
    )


def test_a_batch_says_its_rows_and_tombstones_with_ids_of_their_own(plan, storage):
    made = Engine(plan, storage, Registered())

    (first,) = made.take_in([arrival(plan, IDS)], {"t": {0: 6}})
    (second,) = made.take_in([arrival(plan, [], [IDS[3], IDS[0]], 6)], {"t": {0: 8}})

    assert [key.decode() for key in first.outbox["key"].to_pylist()] == IDS[1:]
    assert None not in first.outbox["value"].to_pylist()
    assert [key.decode() for key in second.outbox["key"].to_pylist()] == [IDS[3]]
    assert second.outbox["value"].to_pylist() == [None]
    assert first.outbox["id"].to_pylist() == [f"pub.d.p.known.v1/0/{n}" for n in range(5)]
    assert second.outbox["id"].to_pylist() == ["pub.d.p.known.v1/5/0"]
    assert {each.minute for each in first.outbox["time"].to_pylist()} == {5}
    assert set(first.outbox["trace"].to_pylist()) == {"trace 5"}
    assert storage.offsets == {"t": {0: 8}}


def test_muted_nothing_is_said_and_no_state_port_is_computed(plan, storage):
    made = Engine(plan, storage, Registered())

    (batch,) = made.take_in([arrival(plan, IDS)], {"t": {0: 6}}, is_muted=True)

    count = "select (select count(*) from main.known), (select count(*) from input.calls)"
    assert batch.outbox.num_rows == 0
    assert storage.connection.execute(count).fetchall() == [(0, 6)]


def test_to_compare_says_what_the_topic_does_not_and_deletes_what_it_should_not(plan, storage):
    made = Engine(plan, storage, Registered())
    made.take_in([arrival(plan, IDS[:4])], {"t": {0: 4}}, is_muted=True)
    (output,) = made.states.stale()
    source = replace(plan.inputs[0], contract=output.contract)
    # Its own topic has two rows as they are, and one that is not true.
    published = replace(arrival(plan, [IDS[0], IDS[1], IDS[2]]), source=source)

    (batch,) = made.compare([output], lambda _: [published])

    said = dict(
        zip(batch.outbox["key"].to_pylist(), batch.outbox["value"].to_pylist(), strict=True)
    )
    assert {key.decode(): value is not None for key, value in said.items()} == {
        IDS[0]: False,
        IDS[3]: True,
    }
    assert made.states.stale() == ()


def test_only_the_last_piece_of_a_large_change_moves_the_offsets_on(plan, storage, monkeypatch):
    monkeypatch.setattr(engine, "FAN_OUT", 2)
    made = Engine(plan, storage, Registered())

    batches = list(made.take_in([arrival(plan, IDS)], {"t": {0: 6}}))

    assert [each.outbox.num_rows for each in batches] == [2, 2, 1]
    assert [each.offsets for each in batches] == [{}, {}, {"t": {0: 6}}]
    assert [each.seq for each in batches] == [2, 4, 5]
    assert [each.outbox.num_rows for each in storage.unpublished(batches[0].position)] == [2, 1]
