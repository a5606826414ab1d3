"""The catalogue's desk and door without a broker: whatever comes, it answers in its own words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from catalog.shelving import shelves_of
from mesh.contract.catalogue import PRODUCTS_TOPIC, VERDICTS_TOPIC
from mesh.contract.descriptor import (
    canonical,
    descriptor_in,
    from_canonical,
    materialise,
)
from mesh.contract.odps import load_product
from tests.catalogue import Memory, in_memory
from tests.descriptors import as_descriptor, descriptor_of
from tests.repository import ROOT

SHIPPED = sorted(path.parent for path in ROOT.glob("products/*/product.yaml"))


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Memory]:
    with in_memory(tmp_path, ratings="marketing", other="sales", call_center="x") as found:
        yield found


def body_of(**changes: Any) -> dict[str, Any]:
    product, contract = descriptor_of(**changes)
    return {"product": product, "contracts": [contract]}


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_a_canonical_text_is_read_back_as_the_same_product(folder, tmp_path):
    text = canonical(descriptor_in(folder))
    product = load_product(materialise(from_canonical(load_product(folder).id, text), tmp_path))

    assert canonical(descriptor_in(product.folder)) == text
    assert [each.fields for each in product.contracts] == [
        each.fields for each in load_product(folder).contracts
    ]


def test_a_product_is_accepted_once_and_again_changes_nothing(catalogue):
    answers = [catalogue.put("ratings", body_of()) for _ in range(3)]

    assert [each.status_code for each in answers] == [201, 200, 200]
    assert len(catalogue.bus.written[PRODUCTS_TOPIC]) == 1
    assert len(catalogue.bus.written[VERDICTS_TOPIC]) == 1
    document = catalogue.client.get("/products/ratings").json()
    assert document["descriptor"]["product"]["name"] == "ratings"
    assert document["owner"] == "test@telco.example"


def test_a_read_model_is_made_of_the_topics_alone(catalogue):
    catalogue.put("ratings", body_of())
    before = catalogue.client.get("/products").json()["products"][0]

    catalogue.store.rebuild(catalogue.bus)

    (after,) = catalogue.client.get("/products").json()["products"]
    assert {**after, "accepted_at": ""} == {**before, "accepted_at": ""}
    assert catalogue.store.project.products["ratings"].outputs[0].contract.path.is_file()


def test_a_refusal_leaves_what_was_accepted_as_it_was(catalogue):
    catalogue.put("ratings", body_of())
    broken = body_of(product={"version": "2"})

    answer = catalogue.put("ratings", broken)

    assert answer.status_code == 422
    assert answer.json()["findings"][0]["rule"] == "product"
    assert catalogue.client.get("/products/ratings").json()["version"] == "1.0.0"
    assert catalogue.client.get("/verdicts/ratings").json()["state"] == "refused"


def test_a_change_that_breaks_readers_is_refused_by_the_version_accepted_last(catalogue):
    catalogue.put("ratings", body_of())
    product, contract = descriptor_of()
    contract["schema"][0]["properties"][1]["logicalType"] = "string"

    (found,) = catalogue.put("ratings", {"product": product, "contracts": [contract]}).json()[
        "findings"
    ]

    assert found["rule"] == "compatible"
    assert "stars: type" in found["problem"]


def test_a_warning_is_listed_apart_and_blocks_nothing(catalogue):
    port = {"name": "calls", "version": "1.0.0", "contractId": "call-center.calls"}
    answer = catalogue.put("ratings", body_of(product={"inputPorts": [port]}))

    assert answer.status_code == 201
    assert answer.json()["findings"] == []
    assert [each["rule"] for each in answer.json()["warnings"]] == ["input-there"]


def test_who_is_read_does_not_leave(catalogue):
    catalogue.put("ratings", body_of())
    port = {"name": "stars", "version": "1.0.0", "contractId": "ratings.stars"}
    other = body_of(id_="other", domain="sales", product={"inputPorts": [port]})
    assert catalogue.put("other", other).json()["warnings"] == []
    token = {"Authorization": "Bearer token of ratings"}

    refused = catalogue.client.delete("/products/ratings", headers=token)
    catalogue.client.delete("/products/other", headers={"Authorization": "Bearer token of other"})
    left = catalogue.client.delete("/products/ratings", headers=token)

    assert (refused.status_code, refused.json()["findings"][0]["rule"]) == (422, "still-read")
    assert (left.status_code, left.json()["state"]) == (200, "withdrawn")
    assert catalogue.client.get("/products").json() == {"products": []}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": "Basic token of ratings"}, 401),
        ({"Authorization": "Bearer token of other"}, 403),
        ({"Authorization": "Bearer token of ada"}, 403),
    ],
)
def test_a_foreign_token_changes_nothing(catalogue, authorization, status):
    catalogue.put("ratings", body_of())
    before = catalogue.client.get("/products").json()

    for method in ("PUT", "DELETE"):
        answer = catalogue.client.request(
            method, "/products/ratings", headers=authorization, content=json.dumps(body_of())
        )
        assert answer.status_code == status
        assert answer.json()["detail"]

    assert catalogue.client.get("/products").json() == before
    assert len(catalogue.bus.written[PRODUCTS_TOPIC]) == 1


def test_a_person_who_owns_a_product_may_register_it(catalogue):
    answer = catalogue.put("call-center", {"product": "x", "contracts": []}, "grace")

    assert answer.status_code == 422  # judged, and not forbidden


def test_nobody_describes_another_or_in_anothers_domain(catalogue):
    domain = catalogue.put("ratings", body_of(domain="sales")).json()
    name = catalogue.put("ratings", body_of(id_="other", domain="sales")).json()

    assert "identity" in [each["rule"] for each in domain["findings"]]
    assert "identity" in [each["rule"] for each in name["findings"]] or name["state"] == "refused"
    assert catalogue.bus.written[PRODUCTS_TOPIC] == []


def test_a_product_without_a_principal_is_told_how_to_get_one(catalogue):
    answer = catalogue.put("unknown", body_of(id_="unknown"))

    assert answer.status_code == 422
    assert "mesh principal add unknown" in answer.json()["findings"][0]["remedy"]
    assert catalogue.bus.written[VERDICTS_TOPIC] == []


def test_the_openapi_is_valid_and_the_figures_are_there(catalogue):
    catalogue.put("ratings", body_of())

    validate(catalogue.client.get("/openapi.json").json())
    assert (
        'mesh_catalogue_products{domain="marketing"} 1.0' in catalogue.client.get("/metrics").text
    )
    rules = [each["rule"] for each in catalogue.client.get("/policies").json()["policies"]]
    assert {"schema", "compatible", "sla-declared"} <= set(rules)


def test_a_path_that_ends_in_json_is_the_same_document(catalogue):
    catalogue.put("ratings", body_of())

    by_name = catalogue.client.get("/products/ratings.json", headers={"Accept": "text/html"})

    assert by_name.json() == catalogue.client.get("/products/ratings").json()


def test_what_is_judged_is_what_files_are(catalogue):
    product, contract = descriptor_of()
    found = as_descriptor(product, contract, sql={"stars.sql": "select 1\n"})

    verdict = catalogue.desk.submit(found, "event")

    assert verdict.state == "accepted"
    text = str(catalogue.bus.written[PRODUCTS_TOPIC][0][1]["descriptor"])
    assert json.loads(text)["sql"] == {"stars.sql": "select 1\n"}
    assert ": " not in text.replace("One row", "")[:200]


def test_who_may_read_is_whom_the_owner_says_and_not_whom_files_say(catalogue):
    catalogue.put("ratings", body_of())
    said: dict[tuple[str, str], bool] = {}
    shelves = shelves_of(catalogue.store, decided=lambda: dict(said))
    contract = shelves().entries["ratings"].product.outputs[0].contract
    before = shelves()
    seen = [before.project.readers_of(contract), shelves() is before]
    said[contract.id, "mallory"] = True
    seen.append(shelves().project.readers_of(contract))

    assert seen == [(), True, ("mallory",)]
