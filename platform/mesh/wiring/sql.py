"""The SQL access point's process, wired: tables, workers and HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from fastapi import FastAPI

from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.backbone.registry import Registry
from mesh.contract.catalogue import PAGES
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.contract.sql import LONGEST_SQL, SQL, SQL_SERVICE
from mesh.control.tokens import public_key
from mesh.errors import MeshError
from mesh.home import Home, locked
from mesh.ports.bodies import Bounded
from mesh.ports.refusals import answer_error
from mesh.ports.serve import serving
from mesh.query.files import shipped_in
from mesh.query.register import Register
from mesh.settings import Settings
from mesh.sql.desk import Desk
from mesh.sql.follower import Follower
from mesh.sql.limits import Limits, missing
from mesh.sql.marts import Marts
from mesh.sql.notes import Notes
from mesh.sql.nursery import Nursery
from mesh.sql.pool import Pool
from mesh.sql.shelf import Shelf
from mesh.wiring.granted import Granted, granting
from mesh.wiring.query_door import query_routes
from mesh.wiring.rewriting_door import rewriting_routes
from mesh.wiring.speaking import principal_of
from mesh.wiring.sql_door import sql_routes
from mesh.wiring.sql_marts import mart_routes, marts_of, refreshing
from mesh.wiring.sql_named import NOTHING, Named

__all__ = ["checker", "grants_of", "run_sql", "sql_app"]

# A right that is revoked ends what runs within this time.
LOOK_S = 1.0
BELIEVED_S = 5.0
MOST_TOKENS = 1000
ZYGOTE = "mesh.wiring.sql_zygote"


def run_sql(
    settings: Settings,
    home: Home,
    project: Project,
    *,
    log: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Answer SQL until *stop* is set. Raises `AlreadyRunning` where another does in this home."""
    folder = home.folder(SQL_SERVICE)
    streamed, files = public_of(project, home)
    plans = marts_of(shipped := shipped_in(project), project.people, streamed, log)
    register = Register(folder / "queries", shipped, project.people, log)
    named = Named(queries=register.queries, people=project.people)
    principal = Principal(name=SQL, secret=home.secret(SQL))
    with locked(folder / "lock", "the SQL access point"):
        endpoint = find_endpoint(settings, home)
        with (
            Registry(endpoint) as registry,
            Nursery(ZYGOTE) as nursery,
            closing(Shelf(folder, streamed, registry.schema, files)) as shelf,
            closing(Pool(nursery, Limits())) as pool,
            granting(project, endpoint, principal, log) as granted,
            Notes(folder / "notes.sqlite", log) as notes,
        ):
            who, may_read = checker(public_key(home)), grants_of(granted)
            marts = Marts(folder, plans, shelf=shelf, pool=pool, granted=may_read)
            desk = Desk(
                shelf=shelf, pool=pool, granted=may_read, why_not=missing(),
                may_ask=named.may_ask, note=notes.note, marts=marts.shown,
            )  # fmt: skip
            with closing(Follower(endpoint, principal, shelf, log, marts.make_anew)) as follower:
                app = sql_app(desk, who, lambda: status_of(desk, follower), named)
                app.include_router(query_routes(named, register, notes, who))
                app.include_router(mart_routes(marts, may_read, who))
                app.include_router(rewriting_routes(follower.rewriting, who))
                with refreshing(marts, log), serving(app, settings, home, SQL_SERVICE) as address:
                    begin_looking(desk, address, stop, log)
                    follower.run(stop)


def public_of(project: Project, home: Home) -> tuple[list[Contract], list[tuple[Contract, Path]]]:
    """The public ports of a project: those that are topics, and those that are files by day."""
    public = [each for each in project.contracts.values() if each.topic.startswith("pub.")]
    files = [(each, home.by_day(each.product, each.port)) for each in public if each.day_field]
    return [each for each in public if each.is_streamed], files


def begin_looking(
    desk: Desk, address: str, stop: threading.Event, log: Callable[[str], None]
) -> None:
    """Say where SQL is answered, or why not, and look at rights from now on."""
    log(f"the SQL access point listens at {address}")
    if desk.why_not:
        log(f"SQL is not answered here: {desk.why_not}")
    threading.Thread(target=look_at_rights, args=(desk, stop, log), daemon=True).start()


def look_at_rights(desk: Desk, stop: threading.Event, log: Callable[[str], None]) -> None:
    """Have revoked rights end what runs, until *stop* is set."""
    while not stop.wait(LOOK_S):
        try:
            desk.look_at_rights()
        except MeshError as error:
            log(f"who may read is not known: {error}")


def sql_app(
    desk: Desk,
    who: Callable[[str], str],
    status: Callable[[], Mapping[str, object]],
    named: Named = NOTHING,
) -> FastAPI:
    """The door of *desk* and of *named* queries; *who* tells whom a token speaks for."""
    app = FastAPI(title="mesh sql", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(MeshError, answer_error)
    app.add_middleware(Bounded, limit=LONGEST_SQL)
    app.include_router(sql_routes(desk, who, status, named))
    return app


def checker(token_key: str) -> Callable[[str], str]:
    """Tells whom a token speaks for; asked again within seconds, it is believed.

    To check one takes longer than to answer from the cache, and analysts ask in rows.
    """
    known: dict[str, tuple[str, float]] = {}

    def who(token: str) -> str:
        name, until = known.get(token, ("", 0.0))
        if time.monotonic() < until:
            return name
        name = principal_of(token, token_key, SQL_SERVICE, also=[PAGES])
        if len(known) > MOST_TOKENS:
            known.clear()
        known[token] = (name, time.monotonic() + BELIEVED_S)
        return name

    return who


def grants_of(granted: Granted) -> Callable[[str], frozenset[str]]:
    """Which contracts a principal may read now: those that it is granted, and its own."""
    contracts = granted.files.contracts.values()
    return lambda principal: frozenset(
        each.id
        for each in contracts
        if principal == each.product or principal in granted.readers_of(each)
    )


def status_of(desk: Desk, follower: Follower) -> Mapping[str, object]:
    """What the service says of itself."""
    return {
        "name": SQL_SERVICE,
        "kind": "service",
        "state": "waiting" if follower.reason else "running",
        "rows": {"tables": len(desk.shelf.tables)},
        "lag": follower.lag,
        "queries": desk.counts["answered"],
        "running": desk.pool.running,
        "reason": follower.reason or desk.why_not,
    }
