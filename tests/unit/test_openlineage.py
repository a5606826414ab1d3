"""OpenLineage events of a product's runs: of the official form, and of what really ran."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mesh.contract.openlineage import event_faults
from mesh.contract.project import load_project
from mesh.observe.openlineage import Job, event, events_of
from mesh.observe.runlog import MOST_MOMENTS, RunLog
from mesh.product.outbox import OUTBOX
from mesh.product.plan import plan_product
from mesh.product.ran import Flow, Moment, Ran
from tests.repository import ROOT

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
FLOW = Flow(messages=3, first_at=NOW, last_at=NOW)
RUN = "8b9d1b62-5f4e-4a88-9b58-31c9d4b0f6f0"


@cache
def job(product: str) -> Job:
    """A shipped product as a job."""
    project = load_project(ROOT)
    return Job(project, plan_product(project, product), "127.0.0.1:9092,other:9092")


def moment(product: str, kind: str = "RUNNING", reason: str = "") -> Moment:
    """A moment at which a product has read and written all its topics."""
    plan = job(product)._plan
    return Moment(
        run=RUN,
        kind=kind,  # type: ignore[arg-type]
        at=NOW,
        read={each.contract.topic: FLOW for each in plan.inputs},
        written={each.contract.topic: FLOW for each in plan.outputs},
        reason=reason,
    )


@pytest.mark.parametrize("product", ["call-center", "contracts", "billing", "key-ring"])
@pytest.mark.parametrize("kind", ["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"])
def test_every_event_is_one_by_the_official_schema(product: str, kind: str) -> None:
    found = event(job(product), moment(product, kind, "StorageError: no room"))
    assert event_faults(found) == []
    assert found["eventType"] == kind


def test_an_event_says_of_which_fields_each_field_is_made() -> None:
    found: Any = event(job("contracts"), moment("contracts"))
    named = {each["name"]: each["facets"] for each in found["outputs"]}
    lineage = named["pub.sales.contracts.contract-holder.v1"]["columnLineage"]
    assert lineage["fields"]["to_id"]["inputFields"] == [
        {
            "namespace": "kafka://127.0.0.1:9092",
            "name": f"priv.sales.contracts.{name}.v1",
            "field": field,
            "transformations": [{"type": "DIRECT"}],
        }
        for name, field in (("commands", "statements"), ("role-changes", "person_id"))
    ]
    assert [each["field"] for each in lineage["dataset"]] == ["statements", "role"]
    assert {each["name"] for each in found["inputs"]} >= {"priv.sales.contracts.role-changes.v1"}


def test_a_topic_of_no_contract_is_told_without_fields() -> None:
    strange = Moment(run=RUN, kind="RUNNING", at=NOW, read={"elsewhere": FLOW}, written={})
    found: Any = event(job("call-center"), strange)
    assert event_faults(found) == []
    assert [(each["name"], each["facets"]) for each in found["inputs"]] == [("elsewhere", {})]


def broken(**changes: Any) -> dict[str, Any]:
    """A good event with other values in it."""
    return {**event(job("call-center"), moment("call-center")), **changes}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "an event is a JSON object"),
        ({}, "'eventTime' is a required property"),
        (broken(eventType="BEGIN"), "eventType: 'BEGIN' is not one of"),
        (broken(eventTime="yesterday"), "eventTime: it is no instant"),
        (broken(eventTime="2026-01-31T12:00:00"), "eventTime: it has no time zone"),
        (broken(run={"runId": "1"}), "run.runId: it is no UUID"),
        (broken(job={"name": "x"}), "job: 'namespace' is a required property"),
        (broken(inputs=[{"name": "x"}]), "inputs.0: 'namespace' is a required property"),
        (broken(inputs="x"), "inputs: 'x' is not of type 'array'"),
        (
            broken(run={"runId": RUN, "facets": {"x": {"a": 1}}}),
            "run.facets.x: '_producer' is a required property",
        ),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(document: Any, reason: str) -> None:
    assert any(each.startswith(reason) for each in event_faults(document)), event_faults(document)


def test_a_facet_that_breaks_its_own_schema_is_refused() -> None:
    found: Any = event(job("call-center"), moment("call-center"))
    del found["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert event_faults(found) == [
        "outputs[0].facets: columnLineage: 'fields' is a required property"
    ]


def test_a_run_counts_messages_by_topic_and_tells_of_each_new_topic() -> None:
    ran, told = Ran(), list[Moment]()
    ran.tell = told.append
    ran.took({"a": 2})
    ran.took({"a": 3, "b": 1})
    ran.took({"a": 1})
    ran.published(messages("x", "x", "y"))
    found = ran.moment("COMPLETE")
    assert {topic: each.messages for topic, each in found.read.items()} == {"a": 6, "b": 1}
    assert {topic: each.messages for topic, each in found.written.items()} == {"x": 2, "y": 1}
    assert [sorted({*each.read, *each.written}) for each in told] == [
        ["a"],
        ["a", "b"],
        ["a", "b", "x", "y"],
    ]


def messages(*topics: str) -> pa.Table:
    """An outbox with one message for each of *topics*."""
    empty = {name: [None] * len(topics) for name in OUTBOX.names}
    return pa.table({**empty, "topic": list(topics)}, schema=OUTBOX)


def test_a_run_is_told_from_its_start_to_its_end(tmp_path: Path) -> None:
    log, ran = RunLog(tmp_path / "runs.jsonl"), Ran()
    with log.run(ran):
        ran.took({"a": 2})
        ran.took({"b": 2})
        assert [each.kind for each in log.moments()] == ["START", "RUNNING"]
    kinds = [(each.kind, sorted(each.read)) for each in log.moments()]
    assert kinds == [("START", []), ("RUNNING", ["a", "b"]), ("COMPLETE", ["a", "b"])]


def test_a_run_that_raises_has_failed(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.jsonl")
    with pytest.raises(ValueError, match="no room"), log.run(Ran()):
        raise ValueError("no room")
    assert (log.moments()[-1].kind, log.moments()[-1].reason) == ("FAIL", "ValueError: no room")


def test_a_run_that_was_killed_is_ended_by_the_next(tmp_path: Path) -> None:
    log, killed = RunLog(tmp_path / "runs.jsonl"), Ran()
    log.add(killed.moment("START"))
    with log.run(Ran()):
        kinds = [(each.kind, each.run == killed.run) for each in log.moments()]
    assert kinds == [("START", True), ("ABORT", True), ("START", False)]


def test_the_log_of_runs_is_bounded_and_survives_a_torn_line(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "runs.jsonl")
    for _ in range(MOST_MOMENTS):
        log.add(Ran().moment("START"))
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"run": "torn\n[]\n')
    log.add(Ran().moment("START"))
    assert len(log.moments()) == MOST_MOMENTS


def test_runs_in_which_nothing_came_do_not_push_out_what_was_read(tmp_path: Path) -> None:
    log, first = RunLog(tmp_path / "runs.jsonl"), Ran()
    with log.run(first):
        first.took({"a": 1})
    for _ in range(MOST_MOMENTS):
        with log.run(Ran()):
            pass
    assert len(log.moments()) == MOST_MOMENTS
    assert [each.kind for each in log.moments() if each.read] == ["RUNNING", "COMPLETE"]


def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "absent" / "runs.jsonl")
    with log.run(Ran()):
        pass
    assert log.moments() == []


def test_the_run_that_goes_on_is_told_as_it_is_now(tmp_path: Path) -> None:
    log, ran = RunLog(tmp_path / "runs.jsonl"), Ran()
    with log.run(ran):
        ran.took({"a": 1})
        ran.took({"a": 1})
        found: list[Any] = events_of(job("call-center"), log, ran)
    assert [each["eventType"] for each in found] == ["START", "RUNNING"]
    assert found[-1]["inputs"][0]["inputFacets"]["inputStatistics"]["rowCount"] == 2
