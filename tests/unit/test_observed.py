"""Lineage declared against observed."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from mesh.contract.lineage import Edge, declared_edges
from mesh.contract.observed import compared, differences, foreign_outputs, sightings
from mesh.contract.project import Project, load_project
from tests.repository import ROOT

RUN = "8b9d1b62-5f4e-4a88-9b58-31c9d4b0f6f0"
CALLS = "pub.customer-service.call-center.calls.v1"
STAGING = "priv.customer-service.call-center.finished-calls.v1"


@cache
def project() -> Project:
    """The shipped products."""
    return load_project(ROOT)


def event(inputs: list[str], outputs: list[str] | None = None) -> dict[str, Any]:
    """A run that read and wrote topics."""
    named = [
        [{"namespace": "kafka://127.0.0.1:9092", "name": each} for each in names]
        for names in (inputs, outputs or [])
    ]
    return {
        "eventTime": "2026-01-31T12:00:00Z",
        "run": {"runId": RUN},
        "job": {"namespace": "elsewhere", "name": "nightly"},
        "inputs": named[0],
        "outputs": named[1],
    }


def edges(by: str, *topics: str) -> dict[tuple[str, str], str]:
    """The kinds of all edges after *by* was seen to read *topics*."""
    seen = sightings(event([*topics]), project(), by=by)
    found = compared(declared_edges(project()), seen)
    return {(each.source, each.target): each.kind for each in found}


def test_what_is_declared_and_seen_is_both() -> None:
    found = edges("call-center", STAGING)
    assert found["call-center.finished-calls", "call-center"] == "both"
    assert found["billing.payer-changes", "billing"] == "declared"


def test_a_reader_that_declares_nothing_is_seen_and_flagged() -> None:
    seen = sightings(event([CALLS]), project(), by="ada")
    found = compared(declared_edges(project()), seen)
    (flagged,) = differences(found, set())
    assert (flagged.source, flagged.target, flagged.what) == (
        "call-center.calls",
        "ada",
        "undeclared",
    )
    assert flagged.text == "ada reads call-center.calls, and no input port of it says so"


def test_a_declared_input_that_is_never_read_is_flagged_once_its_reader_ran() -> None:
    found = compared(declared_edges(project()), ())
    assert differences(found, set()) == ()
    (flagged,) = differences(found, {"call-center"})
    assert flagged.what == "unobserved"
    assert flagged.source == "call-center.finished-calls"


def test_where_all_that_is_declared_was_seen_nothing_is_flagged() -> None:
    seen = sightings(event([STAGING]), project(), by="call-center")
    assert differences(compared(declared_edges(project()), seen), {"call-center"}) == ()


def test_a_family_is_seen_port_by_port() -> None:
    found = edges("key-ring", "pub.sales.contracts.contract-holder.v1")
    assert found["contracts.contract-holder", "key-ring"] == "both"
    assert found["contracts.contract-user", "key-ring"] == "declared"


@pytest.mark.parametrize(
    "topic",
    [
        "priv.customer-service.call-center.finished-calls.rejected.v1",
        "priv.customer-service.call-center.finished-calls.retry.v1",
        "priv.customer-service.call-center.position.v1",
    ],
)
def test_what_a_product_keeps_for_itself_is_no_edge_and_anothers_is(topic: str) -> None:
    assert sightings(event([topic]), project(), by="call-center") == ()
    (seen,) = sightings(event([topic]), project(), by="billing")
    assert seen.source == f"kafka://127.0.0.1:9092/{topic}"


def test_what_is_no_port_of_the_mesh_keeps_its_own_name() -> None:
    found = event([])
    found["inputs"] = [{"namespace": "s3://bucket", "name": CALLS}]
    (seen,) = sightings(found, project(), by="ada")
    assert seen.source == f"s3://bucket/{CALLS}"


def test_a_job_as_such_has_read_nothing() -> None:
    found = event([CALLS])
    del found["run"]
    assert sightings(found, project(), by="ada") == ()


def test_columns_of_a_declared_edge_are_kept() -> None:
    edge = Edge(source="a.b", target="c", columns=(("x", "c.d.y"),))
    assert compared([edge], ())[0].columns == edge.columns


def test_nobody_says_that_it_wrote_what_another_writes() -> None:
    outputs = [CALLS, "pub.risk.new.things.v1", "anything"]
    told = event([], outputs)
    assert foreign_outputs(told, project(), by="ada") == (CALLS, "pub.risk.new.things.v1")
    assert foreign_outputs(told, project(), by="call-center") == ("pub.risk.new.things.v1",)
    assert foreign_outputs(told, project(), by="new") == (CALLS,)
