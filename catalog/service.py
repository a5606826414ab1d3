"""The catalogue's process, wired: read model, intake, desk and HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from confluent_kafka import Consumer

from catalog.api import catalogue_app
from catalog.bus import Bus
from catalog.desk import Desk
from catalog.intake import Domains, Intake
from catalog.lineage_figures import lineage_figures
from catalog.lineage_kept import book_of, watching
from catalog.lineage_routes import lineage_routes
from catalog.pages.routes import pages_router
from catalog.shelving import shelves_of
from catalog.store import Store
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.catalogue import CATALOGUE, SERVICE
from mesh.contract.project import load_lists
from mesh.control.tokens import check_token, public_key
from mesh.home import Home, locked
from mesh.ports.serve import Server
from mesh.settings import Settings

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
    bus = Bus(endpoint, principal)
    store.rebuild(bus, log)
    asking = Consumer({**endpoint.client(principal), "group.id": f"{principal.name}.looks"})
    desk = Desk(store, bus, Domains(asking))
    intake = Intake(endpoint, principal, desk, log)
    check = partial(check_token, key=public_key(home))
    book = book_of(store, bus, log)
    store.collectors.append(partial(lineage_figures, book))

    def door(name: str) -> str | None:
        return settings.services.get(name) or home.address(name)

    pages = pages_router(shelves_of(store, book), look=door)
    app = catalogue_app(desk, check, [pages, lineage_routes(book, check)])
    server = Server(app, home, SERVICE, host=settings.http_host, port=settings.http_port)
    server.start()
    log(f"the catalogue listens at {server.address}, with {len(store.products())} products")
    try:
        with watching(book, store, door, log):
            intake.run(stop)
    finally:
        server.stop()
        asking.close()
        store.close()
    log("the catalogue stopped")
