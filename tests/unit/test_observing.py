"""Who looks at products goes on whatever happens, and a drill leaves no evidence."""

from __future__ import annotations

import threading
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from catalog.clock import Clock
from catalog.evidence import EvidenceBook
from catalog.ladder_routes import clock_routes, ladder_routes
from catalog.lineage import Book
from catalog.observing import Observer
from catalog.shelf import Entry, Shelf
from catalog.shelving import observed_shelves
from mesh.contract.project import Project
from mesh.errors import MeshError, Refused, Unreachable
from mesh.ports.refusals import answer_error
from tests.events import project
from tests.life import wait_until
from tests.shelves import served

PRODUCT = "call-center"
HOUR = timedelta(hours=1)


class Company:
    """One product at its door, and where evidence goes; each may fail."""

    def __init__(self) -> None:
        self.written = []
        self.log = []
        self.fault = None
        self.state = "running"
        product = project().product(PRODUCT)
        self.observer = Observer(
            products=self.products,
            door=lambda name: f"http://{name}",
            book=EvidenceBook(),
            lineage=Book(project),
            clock=Clock(is_movable=True),
            write=self.write,
            token=lambda product: f"good at {product}",
            client=httpx.Client(transport=httpx.MockTransport(self.answer)),
            log=self.log.append,
        )
        self.product = product

    def products(self):
        if self.fault == "products":
            raise RuntimeError("a fault of ours")
        return {PRODUCT: project().product(PRODUCT)}

    def write(self, product, record):
        if self.fault == "kafka":
            raise Unreachable("Kafka is away")
        self.written.append((product, record))

    def answer(self, request):
        if request.url.path != "/observability":
            return httpx.Response(403)
        document = {"product": PRODUCT, "state": self.state, "lag": 0, "rows": {"calls": 1}}
        return httpx.Response(200, json=document)

    def standing(self):
        return self.observer.book.standing(self.product, self.observer.clock.now())


@pytest.fixture
def client(company, tmp_path):
    """A client of the ladder's routes, of a catalogue whose clock may be moved."""
    with served(app_of(company), tmp_path) as found:
        yield found


@pytest.fixture
def company():
    found = Company()
    yield found
    found.observer.client.close()


def test_what_was_seen_is_written(company):
    company.observer.turn()
    ((name, record),) = company.written
    assert (name, record["kind"], record["state"]) == (PRODUCT, "sight", "running")


def test_what_kafka_does_not_take_is_written_later(company):
    company.fault = "kafka"
    with pytest.raises(Unreachable):
        company.observer.turn()
    company.fault = None
    company.observer.turn()
    assert len(company.written) == 1


def test_a_turn_that_fails_is_logged_once_and_the_next_is_made(company, monkeypatch):
    monkeypatch.setattr("catalog.observing.EVERY_S", 0.01)
    company.fault = "products"
    thread = threading.Thread(target=company.observer.run, daemon=True)
    thread.start()
    wait_until(lambda: company.log)
    company.fault = None
    wait_until(lambda: company.written)
    company.observer.stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert [each for each in company.log if "a fault of ours" in each] == company.log[:1]


def test_a_port_that_cannot_be_tested_is_logged_once_and_said(company):
    company.observer.turn()
    company.observer.turn()
    assert len(company.log) == len(company.product.outputs)
    assert "403" in company.observer.book.seen(PRODUCT).troubles["calls"]


def test_what_a_moved_clock_saw_is_not_written(company):
    assert company.observer.drill(HOUR, timedelta(minutes=10)) == 6
    assert len(company.written) == 1
    assert len(company.observer.book.seen(PRODUCT).sights) == 7
    held = next(each for each in company.standing().evidence if "for 1 d" in each.what)
    assert held.seen == "4.2%"


def test_a_drill_may_look_at_some_products_alone_and_sees_nothing_of_the_others(company, client):
    other = "contracts"
    both = {each: project().product(each) for each in (PRODUCT, other)}
    company.observer.products = lambda: both

    assert company.observer.drill(HOUR, timedelta(minutes=10), [PRODUCT]) == 6
    sights = {each: len(company.observer.book.seen(each).sights) for each in both}
    assert sights == {PRODUCT: 7, other: 1}
    refused = post(client, "grace", by_s=60, products=["contract"])
    assert refused.status_code == 422
    assert "there is no product 'contract'" in refused.json()["detail"]


def test_a_product_that_is_stopped_is_outside_from_the_next_look_on(company):
    company.observer.turn()
    company.state = "paused"
    company.observer.turn()
    found = {each.what: each.seen for each in company.standing().evidence}
    assert found["it is inside its service level now"] == "it is paused"


def app_of(company):
    """The ladder's routes."""
    found = project()
    entries = {PRODUCT: Entry(product=found.product(PRODUCT))}
    bare = Shelf(project=Project(root=found.root, products={}, identifiers={}, people={}),
                 entries=entries)  # fmt: skip
    shelves = observed_shelves(lambda: bare, company.observer.book, company.observer.clock)

    def check(token):
        if token == "bad":
            raise Refused("this token is not good")
        return token

    app = FastAPI()
    app.add_exception_handler(MeshError, answer_error)
    app.include_router(ladder_routes(shelves))
    app.include_router(clock_routes(company.observer, check, lambda: frozenset({"grace"})))
    return app


def post(client, token, **body):
    return client.post("/clock", json=body, headers={"Authorization": f"Bearer {token}"})


def test_a_clock_that_is_not_to_be_moved_is_moved_by_nobody(company, client):
    company.observer.clock.is_movable = False
    answer = post(client, "grace", by_s=60)
    assert answer.status_code == 403
    assert "MESH_MOVABLE_CLOCK" in answer.json()["detail"]
    assert not company.observer.clock.is_moved


@pytest.mark.parametrize(("token", "status"), [("grace", 200), ("ada", 403), ("bad", 401)])
def test_only_an_owner_moves_the_clock(company, client, token, status):
    assert post(client, token, by_s=60).status_code == status
    assert company.observer.clock.is_moved == (status == 200)


@pytest.mark.parametrize(
    "body", [{}, {"by_s": 0}, {"by_s": 1e9}, {"by_s": 86_400, "every_s": 1}, {"by_s": "soon"}]
)
def test_a_clock_moves_neither_back_nor_far_nor_in_endless_steps(client, body):
    assert post(client, "grace", **body).status_code == 422


def test_the_ladder_says_where_a_product_stands(company, client):
    assert client.get("/ladder").json()["products"][0]["rung"] is None
    company.observer.turn()
    (found,) = client.get("/ladder").json()["products"]
    assert (found["id"], found["rung"], found["state"]) == (PRODUCT, "dump", "running")
    document = client.get(f"/ladder/{PRODUCT}").json()
    assert document["standing"]["rungs"][0]["evidence"][0]["needed"] == "1 delivery"
    assert client.get("/ladder/nobody").status_code == 404
