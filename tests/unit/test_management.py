"""The management ports: what a product says of itself, and who may pause it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mesh.contract.identifiers import Identifier
from mesh.contract.project import load_project
from mesh.ports.dictionary import MASK
from mesh.product.rejection import Rejection
from mesh.wiring.doors import is_loopback
from tests.doors import opened_door
from tests.life import ROOT
from tests.mapped import notes_contract

PHONE = Identifier(name="phone-number", description="A number.", owner="x", is_personal=True)


def marked_contract():
    """Notes of which one is personal, one classified, one an identifier of a person."""
    contract = notes_contract()
    marks = {
        "note": {"is_personal": True, "description": "What was said."},
        "code": {"classification": "confidential"},
        "count": {"identifier": "phone-number"},
        "small": {"classification": "public"},
    }
    fields = tuple(replace(each, **marks.get(each.name, {})) for each in contract.fields)
    return replace(contract, fields=fields)


@pytest.fixture
def door(tmp_path):
    with opened_door(tmp_path, marked_contract()) as found:
        found.management.identifiers["phone-number"] = PHONE
        found.add(
            {
                "id": "a",
                "note": "secret-note",
                "code": "secret-code",
                "count": 42424242,
                "small": 7,
            },
            {"id": "b"},
        )
        yield found


def test_discoverability_says_what_there_is_and_where(door):
    document = door.client.get("/discoverability").json()
    port = document["ports"][0]

    assert (document["product"], document["owner"]) == ("sample", "a@b.example")
    assert (port["name"], port["contract"], port["kind"]) == ("notes", "sample.notes", "event")
    assert door.ask(port["rows"]).status_code == 200
    for address in (*document["management"].values(), document["metrics"], document["openapi"]):
        assert door.client.get(address).status_code == 200
    assert door.ask(document["graphql"], method="POST", json={"query": "{__typename}"}).json() == {
        "data": {"__typename": "Query"}
    }
    assert document["grpc"] is None


def test_what_ships_can_be_discovered_in_full():
    """Documents from YAML are JSON too."""
    for product in load_project(ROOT).products.values():
        documents = [product.document, *(each.document for each in product.contracts)]
        assert json.loads(json.dumps(documents)) == documents


def test_each_product_that_ships_has_somebody_who_may_pause_it():
    project = load_project(ROOT)

    assert [each for each in project.products if not project.owners_of(each)] == []


def test_the_dictionary_says_what_each_field_means(door):
    port = door.client.get("/dictionary").json()["ports"][0]
    fields = {each["name"]: each for each in port["fields"]}

    assert fields["note"]["description"] == "What was said."
    assert fields["note"]["is_personal"] is True
    assert fields["price"]["type"] == "DECIMAL(6,2)"
    assert fields["id"]["key_position"] == 1
    assert fields["count"]["identifier_description"] == "A number."


def test_no_sample_shows_what_is_personal_or_classified(door):
    for answer in (door.client.get("/dictionary"), door.ask("/dictionary")):
        sample = answer.json()["ports"][0]["sample"]
        first, second = (dict(zip(sample["columns"], row, strict=True)) for row in sample["rows"])

        assert "secret" not in answer.text
        assert "42424242" not in answer.text
        assert [first[name] for name in ("id", "note", "code", "count", "small")] == [
            "a", MASK, MASK, MASK, 7,
        ]  # fmt: skip
        # What is empty is no secret, and worth knowing.
        assert second["note"] is None


def test_beyond_this_machine_samples_are_for_the_granted(tmp_path):
    with opened_door(tmp_path, has_open_samples=False) as door:
        door.add({"id": "a"})

        assert door.client.get("/dictionary").json()["ports"][0]["sample"] is None
        assert door.ask("/dictionary", "mallory").json()["ports"][0]["sample"] is None
        assert door.ask("/dictionary", "ada").json()["ports"][0]["sample"]["rows"]
        bad = {"Authorization": "Bearer x"}
        assert door.client.get("/dictionary", headers=bad).status_code == 401


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - a text to judge
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_only_loopback_is_this_machine(host, is_local):
    assert is_loopback(host) is is_local


def test_observability_has_the_figures_and_what_was_set_aside(door):
    rejection = Rejection(
        topic="t", partition=0, offset=0, key=None, value=None, field="note", rule="required",
        reason="",
    )  # fmt: skip
    with door.storage.transaction():
        door.storage.count_rejections("sample.notes", [rejection, rejection])
    door.status.update(lag=7, freshness_s=0.25, last_arrival_at="2026-01-01T00:00:00+00:00")
    document = door.client.get("/observability").json()

    assert document["is_healthy"] is True
    assert (document["lag"], document["freshness_s"], document["rows"]) == (7, 0.25, {"notes": 2})
    assert document["quarantine"] == [
        {"port": "sample.notes", "rule": "required", "field": "note", "count": 2}
    ]
    assert document["rejected"] == 2
    answer = door.client.get("/metrics")
    found = {
        (each.name, tuple(sorted(each.labels.items()))): each.value
        for family in text_string_to_metric_families(answer.text)
        for each in family.samples
    }
    product = ("product", "sample")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert found["mesh_product_up", (product,)] == 1
    assert found["mesh_product_lag", (product,)] == 7
    assert found["mesh_product_freshness_seconds", (product,)] == 0.25
    assert found["mesh_port_rows", (("port", "notes"), product)] == 2
    assert found["mesh_input_next_offset", (("partition", "0"), product, ("topic", "t"))] == 7
    labels = (("field", "note"), ("port", "sample.notes"), product, ("rule", "required"))
    assert found["mesh_quarantined_total", labels] == 2


def test_a_figure_that_is_not_known_yet_is_left_out(door):
    text = door.client.get("/metrics").text

    assert "freshness" not in text
    assert "arrival" not in text


def test_a_product_that_does_not_run_is_not_up(door):
    door.status["state"] = "waiting"

    assert 'mesh_product_up{product="sample"} 0.0' in door.client.get("/metrics").text
    assert door.client.get("/observability").json()["is_healthy"] is False


def test_its_owner_and_the_product_itself_pause_and_resume_it(door):
    for name in ("grace", "sample"):
        done = door.ask("/control/pause", name, "POST", json={"reason": " a\nreason "})
        paused = done.json()["paused"]

        assert done.status_code == 200
        assert (paused["by"], paused["reason"]) == (name, "a reason")
        assert door.client.get("/control").json()["paused"] == paused
        assert door.client.get("/observability").json()["paused"] == paused
        ended = door.ask("/control/resume", name, "POST").json()["ended"]
        assert ended == paused
        assert door.ask("/control/resume", name, "POST").json()["ended"] is None


def test_whoever_erases_has_the_storage_written_anew_and_nobody_else(door):
    for name in ("ada", "grace", "sample", "other"):
        assert door.ask("/control/rewrite", name, "POST").status_code == 403
    assert door.client.post("/control/rewrite").status_code == 401
    assert door.client.get("/control").json()["rewriting_asked_at"] is None

    asked = door.ask("/control/rewrite", "mesh-erasure", "POST").json()["rewriting_asked_at"]

    assert door.client.get("/control").json()["rewriting_asked_at"] == asked
    assert door.management.rewriting.asked_at == asked
    assert door.ask("/control/pause", "mesh-erasure", "POST").status_code == 403


@pytest.mark.parametrize("name", ["ada", "mallory", "other"])
@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_nobody_else_does_not_even_who_may_read_it(door, name, verb):
    door.ask("/control/pause", "grace", "POST")
    refused = door.ask(f"/control/{verb}", name, "POST")

    assert refused.status_code == 403
    assert f"{name} does not own sample" in refused.json()["detail"]
    assert door.client.post(f"/control/{verb}").status_code == 401
    assert door.management.pausing.paused.by == "grace"


@pytest.mark.parametrize(
    "body", [b"x", b"[]", b"\xff", b'{"reason": 7}', b'{"reason": null}', b"[" * 9999]
)
def test_a_reason_that_is_no_text_is_refused(door, body):  # fmt: skip
    answer = door.ask("/control/pause", "grace", "POST", content=body)

    assert answer.status_code == 422
    assert door.management.pausing.paused is None


def test_a_reason_has_a_bounded_length(door):
    answer = door.ask("/control/pause", "grace", "POST", json={"reason": "x" * 501})

    assert answer.status_code == 422


def test_a_reason_with_half_a_character_pauses_nothing(door):
    headers = {"Content-Type": "application/json"}
    done = door.ask(
        "/control/pause", "grace", "POST", content=b'{"reason": "\\ud800"}', headers=headers
    )

    assert done.status_code == 422
    assert door.client.get("/control").json()["paused"] is None
