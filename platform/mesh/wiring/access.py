"""The access service's process, wired: tokens, the desk of grants, the topic and HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import FastAPI

from mesh.backbone.bus import Bus
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.access import ACCESS, ACCESS_SERVICE, GRANT_SCHEMA, GRANTS_TOPIC, Access
from mesh.contract.catalogue import PAGES, PRODUCTS_TOPIC
from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.control.access import access_app, grant_routes
from mesh.control.granting import GrantDesk
from mesh.control.tokens import public_key
from mesh.errors import MeshError
from mesh.home import Home, locked
from mesh.ports.bodies import Bounded
from mesh.ports.refusals import answer_error
from mesh.ports.serve import serving
from mesh.settings import Settings
from mesh.wiring.accepted import Following, products_of
from mesh.wiring.granted import Clock, Granted, granting
from mesh.wiring.speaking import principal_of

__all__ = ["app_of", "run_access"]

LOOK_S = 1.0
LONGEST_BODY = 16 * 1024


def run_access(
    settings: Settings,
    home: Home,
    project: Project,
    *,
    log: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Issue tokens and take acts until *stop* is set; without Kafka, tokens alone.

    Raises `AlreadyRunning` where another does on this state folder.
    """
    endpoint = find_endpoint(settings, home)
    principal = Principal(name=ACCESS, secret=home.secret(ACCESS))
    bus = Bus(endpoint, principal, {GRANTS_TOPIC: GRANT_SCHEMA})
    with (
        locked(home.run / f"{ACCESS_SERVICE}.lock", "the access service"),
        granting(project, endpoint, principal, log) as granted,
        Following(endpoint, principal, PRODUCTS_TOPIC, log) as accepted,
    ):

        def write(act: Access) -> None:
            granted.wait_for(bus.write(GRANTS_TOPIC, act.key, act.as_record()))
            log(f"{act.by}: {act.port} is {act.state} for {act.principal}")

        book = Everybody(granted)
        desk = GrantDesk(book, write, lambda: names(home), now := Clock())
        with serving(app_of(home, desk, now), settings, home, ACCESS_SERVICE) as address:
            log(f"{ACCESS_SERVICE} listens at {address}")
            while not stop.wait(LOOK_S):
                try:
                    desk.expire()
                    book.meet(accepted.look(0.0) or {}, log)
                except MeshError as error:
                    log(f"waiting: {error}")


def app_of(home: Home, desk: GrantDesk, now: Callable[[], datetime]) -> FastAPI:
    """The service over *desk*, for those whose tokens are good here or on pages."""
    key = public_key(home)
    check = partial(principal_of, key=key, audience=ACCESS_SERVICE, also=[PAGES])
    app = access_app(home, grant_routes(desk, check, now))
    app.add_exception_handler(MeshError, answer_error)
    app.add_middleware(Bounded, limit=LONGEST_BODY)
    return app


class Everybody:
    """What was said, of the project's products and of those who joined by a descriptor."""

    def __init__(self, granted: Granted) -> None:
        self._granted = granted
        self._digests: Mapping[str, str] = {}
        self._joined: Mapping[str, Product] = {}

    @property
    def acts(self) -> Mapping[str, Access]:
        """The last act of each access."""
        return self._granted.acts

    @property
    def project(self) -> Project:
        """The project with all products, and with what owners have decided."""
        found = self._granted.project
        return replace(found, products={**self._joined, **found.products})

    def meet(self, records: Mapping[str, Mapping[str, Any]], log: Callable[[str], None]) -> None:
        """Take over the products that the catalogue accepted, and that no file describes."""
        own = self._granted.files.products
        strangers = {id_: each for id_, each in records.items() if id_ not in own}
        digests = {id_: str(each["digest"]) for id_, each in strangers.items()}
        if digests != self._digests:
            self._joined = {each.id: each for each in products_of(strangers, log)}
            self._digests = digests


def names(home: Home) -> Collection[str]:
    """Every principal that has a secret."""
    found: dict[str, str] = json.loads((home.access / "verifiers.json").read_text())
    return found.keys()
