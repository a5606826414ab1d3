"""The catalogue's OpenAPI, asked at random: no server error; a foreign token changes nothing."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from catalog.api import catalogue_app
from catalog.clock import Clock
from catalog.desk import Desk
from catalog.evidence import EvidenceBook
from catalog.lineage import Book
from catalog.observing import Observer, client_for_doors
from catalog.service import routers_of
from catalog.shelving import observed_shelves, shelves_of
from catalog.store import Store
from mesh.contract.audit import AUDIT_SERVICE
from mesh.contract.descriptor import descriptor_in
from mesh.contract.project import load_lists
from mesh.errors import Refused
from tests.audited import audited
from tests.repository import ROOT
from tests.shelves import HTML, served, shipped_shelf

PRODUCTS = ("call-center", "contracts", "billing", "key-ring")
EXAMPLES = 7


class NoBus:
    """Where accepted products go, without Kafka."""

    def write(self, topic, key, record):
        """Forget it."""


def check(token):
    """Tokens that are the names of their principals."""
    if token not in (*PRODUCTS, "ada", "grace", "mallory"):
        raise Refused("this token is not good")
    return token


@contextmanager
def opened_catalogue(folder, audit):
    """A client of a catalogue with the shipped products, on a store of its own, beside *audit*."""
    store = Store(folder / "store", partial(load_lists, ROOT))
    domains = {}
    desk = Desk(store, NoBus(), lambda age_s=0.0: domains)
    for name in PRODUCTS:
        descriptor = descriptor_in(ROOT / "products" / name.replace("-", "_"))
        domains[name] = {"call-center": "customer-service", "contracts": "sales",
                         "billing": "finance", "key-ring": "identity"}[name]  # fmt: skip
        assert desk.submit(descriptor, "http").state == "accepted"
    book = Book(lambda: store.project)
    observer = Observer(
        products=lambda: {id_: each.accepted.product for id_, each in store.products().items()},
        door={AUDIT_SERVICE: audit.address()}.get,
        book=EvidenceBook(),
        lineage=book,
        clock=Clock(),
        write=lambda *_: None,
        token=audit.token,
        client=client_for_doors(),
    )
    observer.turn()
    shelves = observed_shelves(shelves_of(store, book), observer.book, observer.clock)
    app = catalogue_app(desk, check, routers_of(store, book, observer, check, shelves))
    try:
        with served(app, folder / "home") as client:
            yield client
    finally:
        observer.client.close()
        store.close()


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "store").mkdir()
    with (
        audited(folder / "audit", shipped_shelf()) as audit,
        opened_catalogue(folder, audit) as client,
    ):
        yield client


def operations(client):
    """Every operation of the catalogue's OpenAPI."""
    schema = schemathesis.openapi.from_url(f"{str(client.base_url).rstrip(chr(47))}/openapi.json")
    return [found.ok() for found in schema.get_all_operations()]


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_question_at_random_is_a_server_error(catalogue, mode):
    asked = set()
    for operation in operations(catalogue):
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            asked.add(case.operation.label)
            for headers in ({}, HTML, {"Authorization": "Bearer grace"}):
                case.call_and_validate(headers=headers, checks=[not_a_server_error])

        ask()
    assert {"PUT /products/{id}", "POST /api/v1/lineage", "GET /search"} <= asked
    assert {"GET /ladder/{id}", "POST /clock"} <= asked


def can_be_wrong(operation):
    """Whether an operation takes anything that could be wrong: every text may be a name."""
    takes = any(True for _ in operation.iter_parameters()) or bool(operation.body)
    return takes and not operation.label.endswith(("{name}", "{owner}"))


def test_every_page_is_described(catalogue):
    labels = {each.label for each in operations(catalogue)}

    assert {
        "GET /", "GET /search", "GET /map", "GET /products", "GET /products/{id}",
        "GET /identifiers", "GET /identifiers/{name}", "GET /relations", "GET /owners",
        "GET /owners/{owner}", "GET /policies",
    } <= labels  # fmt: skip


@pytest.mark.parametrize("token", ["mallory", "billing", "ada", "nonsense"])
def test_a_foreign_token_changes_nothing(catalogue, token):
    before = catalogue.get("/products/call-center").json()
    descriptor = {**before["descriptor"], "sql": {}}
    headers = {"Authorization": f"Bearer {token}"}

    put = catalogue.put("/products/call-center", json=descriptor, headers=headers)
    gone = catalogue.delete("/products/call-center", headers=headers)

    assert (put.status_code, gone.status_code) in [(401, 401), (403, 403)]
    assert catalogue.get("/products/call-center").json() == before
    assert catalogue.get("/products/call-center", headers=HTML).status_code == 200


def test_a_page_and_its_record_are_one(catalogue):
    """What was accepted stands in the JSON of the page, beside what was made of it."""
    document = catalogue.get("/products/call-center").json()

    assert len(document["digest"]) == 64
    assert document["descriptor"]["product"]["id"] == document["id"] == "call-center"
    assert document["ports"][0]["contract"] == "call-center.calls"
    page = catalogue.get("/products/call-center", headers=HTML).text
    assert 'href="/verdicts/call-center"' in page
    assert catalogue.get("/verdicts/call-center", headers=HTML).json()["state"] == "accepted"
    listed = catalogue.get("/products").json()["products"]
    assert [each["id"] for each in listed if "descriptor" not in each] == [
        "call-center", "billing", "key-ring", "contracts",
    ]  # fmt: skip
