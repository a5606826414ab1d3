"""Shelves for tests of the catalogue's pages: the shipped products, and a client of their pages."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI

from bench.many import NOW, observations, standing_on
from catalog.audit_door import AuditDoor
from catalog.negotiation import JsonByName
from catalog.pages.access_routes import access_pages
from catalog.pages.audit_routes import audit_pages
from catalog.pages.model_routes import model_pages
from catalog.pages.query_routes import query_pages
from catalog.pages.routes import pages_router
from catalog.pages.sampling import Samples
from catalog.pages.signed import Work, login_pages
from catalog.pages.sql_routes import sql_pages
from catalog.services import Services
from catalog.shelf import Entry, Observed, Shelf
from catalog.together import Used
from mesh.contract.ladder import RUNGS, Trial, digest_of
from mesh.contract.lineage import Edge, declared_edges
from mesh.contract.model import OutputPort
from mesh.contract.project import load_project
from mesh.errors import Refused, Unreachable
from mesh.home import Home
from mesh.ports.serve import Server
from tests.repository import ROOT

__all__ = ["HTML", "observed_at", "pages_app", "served", "shipped_shelf", "with_entries"]

HTML = {"Accept": "text/html"}
ADDRESS = "http://127.0.0.1:9"
# Rows as a product's dictionary gives them, unmasked: the pages have to mask them.
CALL = {
    "call_id": "123e4567-e89b-12d3-a456-426614174000", "phone_number": "+12025550123",
    "queue": "billing", "agent_id": "A-1234", "reason": "<b>invoice</b>", "site": None,
    "started_at": "2026-01-01T10:00:00Z", "ended_at": "2026-01-01T10:05:00Z", "duration_s": 300,
}  # fmt: skip


@cache
def shipped_shelf() -> Shelf:
    """The shipped products, as if they had been seen for a day."""
    project = load_project(ROOT)
    draw = random.Random(1)  # noqa: S311 - no secret is drawn
    entries = {}
    for number, (name, product) in enumerate(sorted(project.products.items())):
        history = [replace(each, address=ADDRESS) for each in observations(draw, product)]
        standing = standing_on(RUNGS[(number + 2) % len(RUNGS)])
        entries[name] = Entry(
            product=product,
            standing=standing,
            observed=history[-1],
            history=history,
            tests=[tested(port, number) for number, port in enumerate(product.outputs)],
        )
    edges = [*declared_edges(project)]
    edges[0] = replace(edges[0], kind="both", columns=(("call_id", "call-center.calls.call_id"),))
    edges.append(Edge(source="call-center.calls", target="billing", kind="observed"))
    return Shelf(project=project, entries=entries, edges=edges)


def tested(port: OutputPort, number: int) -> Trial:
    """A test of a port's contract, of which every other found something broken."""
    broken = {"queue.enum": 12, "<b>.pattern": 1} if number % 2 else {}
    digest = digest_of(port.contract)
    return Trial(port=port.name, at=NOW, digest=digest, rows=10_000, broken=broken)


def dictionary(request: httpx.Request) -> httpx.Response:
    """The dictionary of call-center; the others are away."""
    sample = {"columns": list(CALL), "rows": [list(CALL.values())]}
    document = {"product": "call-center", "ports": [{"port": "calls", "sample": sample}]}
    return httpx.Response(200, json=document)


def no_token(service: str) -> str:
    """Nobody is known here."""
    raise Unreachable(f"there is no token for {service}")


# The audit service is away.
AWAY = AuditDoor(client=httpx.Client(trust_env=False), address=lambda: None, token=no_token)


def nobody(_token: str) -> str:
    """No token is good here."""
    raise Refused("the token is not valid")


def pages_app(
    shelf: Shelf,
    answer=dictionary,
    audit: AuditDoor = AWAY,
    work: Work | None = None,
    together: Callable[[], Used] = dict,
) -> FastAPI:
    """An application of nothing but the pages of *shelf*, or of what *work* has."""
    app = FastAPI()
    app.add_middleware(JsonByName)
    samples = Samples(httpx.Client(transport=httpx.MockTransport(answer)))
    services = Services(address=lambda _: None)
    work = work or Work(shelf=lambda: shelf, check=nobody, services=services)
    for each in (login_pages, sql_pages, query_pages, access_pages, model_pages):
        app.include_router(each(work))
    app.include_router(audit_pages(work.shelf, audit))
    app.include_router(pages_router(work.shelf, samples, together=together))
    return app


@contextmanager
def served(app: FastAPI, folder: Path) -> Iterator[httpx.Client]:
    """A client of *app*, which is served from *folder*; its `base_url` is the address."""
    server = Server(app, Home.open(folder), "pages", host="127.0.0.1", port=0)
    server.start()
    try:
        with httpx.Client(base_url=server.address, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.stop()


def observed_at(entry: Entry, **changes: object) -> Entry:
    """*entry*, last observed otherwise."""
    observed: Observed | None = entry.observed
    assert observed is not None
    return replace(entry, observed=replace(observed, **changes))


def with_entries(shelf: Shelf, entries: Mapping[str, Entry]) -> Shelf:
    """*shelf* with other entries."""
    return replace(shelf, entries=entries)
