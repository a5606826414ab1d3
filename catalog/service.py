"""The catalogue's process, wired: read model, intake, desk and HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer
from fastapi import APIRouter

from catalog.api import catalogue_app
from catalog.asking import Check
from catalog.audit_door import AuditDoor
from catalog.clock import Clock
from catalog.desk import Desk
from catalog.evidence import EvidenceBook
from catalog.evidence_topic import read_evidence
from catalog.intake import Domains, Intake
from catalog.ladder_figures import ladder_figures
from catalog.ladder_kept import evidence_takers, writer
from catalog.ladder_routes import clock_routes, ladder_routes
from catalog.lineage import Book
from catalog.lineage_figures import lineage_figures
from catalog.lineage_kept import book_of, lineage_takers, watching
from catalog.lineage_routes import lineage_routes
from catalog.observing import Observer, client_for_doors, observing
from catalog.pages.access_routes import access_pages
from catalog.pages.audit_routes import audit_pages
from catalog.pages.model_routes import model_pages
from catalog.pages.query_routes import query_pages
from catalog.pages.routes import pages_router
from catalog.pages.sampling import Samples
from catalog.pages.signed import Work, login_pages
from catalog.pages.sql_routes import sql_pages
from catalog.services import Services
from catalog.shelving import Shelves, observed_shelves, shelves_of
from catalog.store import Store
from catalog.together import Together
from catalog.trying import Login
from mesh.backbone.bus import Bus
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.audit import AUDIT_SERVICE
from mesh.contract.catalogue import CATALOGUE, OWN_TOPICS, PAGES, SERVICE
from mesh.contract.model import Product
from mesh.contract.project import load_lists
from mesh.contract.sql import SQL_SERVICE
from mesh.control.tokens import check_token, public_key
from mesh.home import Home, locked
from mesh.ports.serve import serving
from mesh.settings import Settings
from mesh.wiring.granted import granting

__all__ = ["run_catalogue"]

Log = Callable[[str], None]


def run_catalogue(settings: Settings, home: Home, *, log: Log, stop: threading.Event) -> None:
    """Run the catalogue until *stop* is set.

    Raises `AlreadyRunning` where one runs on this state folder, and a `BackboneError` where
    Kafka is not there at the start.
    """
    folder = home.folder(SERVICE)
    with locked(folder / "lock", "the catalogue"):
        run_locked(settings, home, folder, log, stop)


def run_locked(
    settings: Settings, home: Home, folder: Path, log: Log, stop: threading.Event
) -> None:
    """Run it on a folder that nobody else has."""
    endpoint = find_endpoint(settings, home)
    principal = Principal(name=CATALOGUE, secret=home.secret(CATALOGUE))
    store = Store(folder, partial(load_lists, settings.project))
    bus = Bus(endpoint, principal, OWN_TOPICS)
    store.rebuild(bus, log)
    asking = Consumer({**endpoint.client(principal), "group.id": f"{principal.name}.looks"})
    desk = Desk(store, bus, Domains(asking))
    intake = Intake(endpoint, principal, desk, log)
    key = public_key(home)
    check = partial(check_token, key=key, audience=SERVICE)
    book = book_of(store, bus)

    def door(name: str) -> str | None:
        return settings.services.get(name) or home.address(name)

    observer = observer_of(store, bus, book, door, log)
    observer.clock.is_movable = settings.movable_clock
    read_evidence(bus, {**lineage_takers(book), **evidence_takers(observer.book)}, log)
    try:
        with granting(store.project, endpoint, principal, log) as granted:
            known = shelves_of(store, book, lambda: granted.project.decided)
            shelves = observed_shelves(known, observer.book, observer.clock)
            routers = routers_of(store, book, observer, check, shelves)
            app = catalogue_app(desk, check, [*personal(shelves, key, door), *routers])
            with serving(app, settings, home, SERVICE) as address:
                log(f"the catalogue listens at {address}, with {len(store.products())} products")
                with watching(book, store, door, log), observing(observer):
                    intake.run(stop)
    finally:
        asking.close()
        store.close()
    log("the catalogue stopped")


def observer_of(
    store: Store, bus: Bus, book: Book, door: Callable[[str], str | None], log: Log
) -> Observer:
    """Who looks at the products of *store*, and keeps on *bus* what it sees."""
    client = client_for_doors()

    def products() -> Mapping[str, Product]:
        return {id_: each.accepted.product for id_, each in store.products().items()}

    return Observer(
        products=products,
        door=door,
        book=EvidenceBook(),
        lineage=book,
        clock=Clock(),
        write=writer(bus),
        token=Login(bus.principal, partial(door, "access"), client).token,
        client=client,
        log=log,
    )


def personal(
    shelves: Shelves, key: str, door: Callable[[str], str | None]
) -> tuple[APIRouter, ...]:
    """The pages on which somebody is signed in."""
    check = partial(check_token, key=key, audience=PAGES)
    work = Work(shelf=shelves, check=check, services=Services(address=door))
    made = (login_pages, sql_pages, query_pages, access_pages, model_pages)
    return tuple(each(work) for each in made)


def routers_of(
    store: Store, book: Book, observer: Observer, check: Check, shelves: Shelves
) -> list[APIRouter]:
    """Pages, lineage and the ladder, over what is known and observed."""
    store.collectors += [
        partial(lineage_figures, book),
        partial(ladder_figures, shelves, observer.clock.now),
    ]

    def owners() -> frozenset[str]:
        project = store.project
        return frozenset({*project.products, *(n for n, one in project.people.items() if one.owns)})

    audit = AuditDoor(
        client=observer.client,
        address=partial(observer.door, AUDIT_SERVICE),
        token=observer.token,
    )
    together = Together(
        client=observer.client,
        address=partial(observer.door, SQL_SERVICE),
        token=observer.token,
    )
    return [
        audit_pages(shelves, audit),
        pages_router(shelves, Samples(token=observer.token), observer.door, together),
        lineage_routes(book, check),
        ladder_routes(shelves),
        clock_routes(observer, check, owners),
    ]
