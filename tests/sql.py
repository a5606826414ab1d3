"""The SQL access point for tests, without Kafka: a worker alone, or its whole door over HTTP."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import httpx
from confluent_kafka import Message
from fastapi import FastAPI

from mesh.backbone.endpoint import Principal
from mesh.backbone.record import encoded
from mesh.contract.model import Contract
from mesh.contract.types import avro_schema
from mesh.control.tokens import issue_token, make_keys, public_key
from mesh.errors import MeshError
from mesh.home import Home
from mesh.ports.serve import Server
from mesh.query.register import Register
from mesh.sql.desk import Desk
from mesh.sql.limits import Limits
from mesh.sql.marts import Marts
from mesh.sql.notes import Notes
from mesh.sql.nursery import Nursery, Worker
from mesh.sql.pool import Pool
from mesh.sql.session import Copy
from mesh.sql.shelf import Shelf
from mesh.wiring.query_door import query_routes
from mesh.wiring.sql import checker, sql_app
from mesh.wiring.sql_marts import mart_routes, marts_of
from mesh.wiring.sql_named import NOTHING, Named
from tests.strategies import contract_of, field_of

__all__ = [
    "EVENTS",
    "PROGRAM",
    "SCHEMA",
    "Access",
    "ask",
    "asked",
    "copy_of",
    "messages_of",
    "opened_access",
    "refused",
    "worker_of",
]

PROGRAM = "mesh.wiring.sql_zygote"


def copy_of(folder: Path, name: str = "sales.contracts.contracts", *, rows: int = 3) -> Copy:
    """A copy of a port with a few rows."""
    domain, product, port = name.split(".")
    path = folder / f"{name}.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"create table rows as select i as id, 'row ' || i as text from range({rows}) t(i)"
        )
    columns = ("id", "text")
    return Copy(domain=domain, product=product, port=port, columns=columns, generation=1, path=path)


def worker_of(nursery: Nursery, copies: list[Copy], *without: str, **limits: Any) -> Worker:
    """A worker with small limits, some of them switched off."""
    small: dict[str, Any] = {"space_mb": 900, "memory_mb": 200, "cpu_s": 1}
    return nursery.worker(copies, Limits(**{**small, **limits}, without=frozenset(without)))


def asked(sql: str, form: str = "json", parameters: Any = ()) -> dict[str, object]:
    """A query as a worker is asked it."""
    return {
        "sql": sql,
        "parameters": parameters,
        "is_plan": False,
        "format": form,
        "offsets": {"topic": {"0": 7}},
    }


def ask(worker: Worker, sql: str, parameters: Any = ()) -> list[list[Any]]:
    """The rows of a query."""
    found: list[list[Any]]
    found = json.loads(b"".join(worker.ask(asked(sql, parameters=parameters))))["rows"]
    return found


def refused(worker: Worker, sql: str) -> str:
    """Why a query has no answer; nothing where it has one."""
    try:
        ask(worker, sql)
    except MeshError as error:
        return str(error)
    return ""


EVENTS = contract_of(
    field_of("id", required=True, key=1), field_of("n", "integer"), field_of("at", "timestamp")
)
SECRETS = replace(EVENTS, id="shop.secrets", topic="pub.sales.shop.secrets.v1")
SCHEMA = avro_schema(EVENTS)
NAMES = ("ada", "grace", "mallory", "dorothy")
TOPIC_ID = bytes(range(16))


def messages_of(
    pairs: Sequence[tuple[str, int | bytes | None]], *, partition: int = 0, first: int = 0
) -> list[Message]:
    """Messages of keys and numbers, at every second offset, since markers take some too."""
    return [
        Message(
            topic=EVENTS.topic,
            partition=partition,
            offset=first + 2 * place,
            key=key.encode(),
            value=value_of(key, n),
        )
        for place, (key, n) in enumerate(pairs)
    ]


def value_of(key: str, n: int | bytes | None) -> bytes | None:
    """The value of a message: a row, what is none, or a tombstone."""
    if n is None or isinstance(n, bytes):
        return n
    return encoded(7, SCHEMA, {"id": key, "n": n, "at": None})


@dataclass(kw_only=True)
class Access:
    """A SQL access point over HTTP, whose tables are fed by *put*, its *marts* by hand."""

    home: Home
    desk: Desk
    client: httpx.Client
    granted: dict[str, frozenset[str]]
    notes: Notes
    marts: Marts
    put: queue.Queue[list[Message]] = field(default_factory=queue.Queue)

    def headers(self, who: str = "ada") -> dict[str, str]:
        """Who asks."""
        token = issue_token(self.home, Principal(name=who, secret=f"secret of {who}"), "sql")
        return {"Authorization": f"Bearer {token}"}

    def ask(self, sql: str, who: str = "ada", **more: Any) -> httpx.Response:
        """The answer to a query."""
        headers = {**self.headers(who), **more.pop("headers", {})}
        return self.client.post("/sql", content=sql, headers=headers, **more)

    def rows(self, sql: str, who: str = "ada") -> Any:
        """The rows of a query."""
        response = self.ask(sql, who)
        assert response.status_code == 200, response.text
        return response.json()["rows"]


@contextmanager
def opened_access(
    folder: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    why_not: str = "",
    more: Contract | None = None,
    named: Named = NOTHING,
) -> Iterator[Access]:
    """An access point with two ports, of which ada is granted one and grace both.

    One *more*, of the eighth schema, is granted to dorothy; some are limited to *named* queries.
    """
    home = Home.open(folder / "home")
    make_keys(home, [Principal(name=each, secret=f"secret of {each}") for each in NAMES])
    contracts = [EVENTS, SECRETS, *([more] if more else [])]
    shelf = shelf_of(folder / "sql", contracts)
    granted = {"ada": frozenset({EVENTS.id}), "grace": frozenset({EVENTS.id, SECRETS.id})}
    granted["dorothy"] = frozenset(each.id for each in contracts[2:])
    stop = threading.Event()
    with Nursery(PROGRAM) as nursery, Notes(folder / "sql" / "notes.sqlite") as notes:
        pool = Pool(nursery, limits)
        rights = {"granted": lambda who: granted.get(who, frozenset()), "why_not": why_not}
        desk = Desk(shelf=shelf, pool=pool, may_ask=named.may_ask, note=notes.note, **rights)
        app, marts = app_of(folder / "sql", desk, named, notes, public_key(home))
        server = Server(app, home, "sql", host="127.0.0.1", port=0)
        server.start()
        with httpx.Client(base_url=server.address, trust_env=False, timeout=60) as client:
            access = Access(
                home=home, desk=desk, client=client, granted=granted, notes=notes, marts=marts
            )
            keeper = threading.Thread(target=keep, args=(shelf, access.put, stop), daemon=True)
            keeper.start()
            try:
                yield access
            finally:
                stop.set()
                keeper.join()
                server.stop()
                pool.close()
                shelf.close()


def app_of(folder: Path, desk: Desk, named: Named, notes: Notes, key: str) -> tuple[FastAPI, Marts]:
    """The door of *desk*, with *named* queries and those that are registered; and the marts."""
    plans = marts_of(named.queries.values(), named.people, [EVENTS, SECRETS], print)
    marts = Marts(folder, plans, shelf=desk.shelf, pool=desk.pool, granted=desk.granted)
    desk.marts = marts.shown
    register = Register(folder / "queries", named.queries.values(), named.people)
    named = replace(named, queries=register.queries)
    who = checker(key)
    app = sql_app(desk, who, lambda: {"state": "running", "lag": 0}, named)
    app.include_router(query_routes(named, register, notes, who))
    app.include_router(mart_routes(marts, desk.granted, who))
    return app, marts


def shelf_of(folder: Path, contracts: Sequence[Contract]) -> Shelf:
    """A shelf with an empty table of each."""
    schemas = {7 + n: avro_schema(each) for n, each in enumerate([EVENTS, *contracts[2:]])}
    shelf = Shelf(folder, contracts, schemas.get)
    for each in contracts:
        shelf.open(each.topic, TOPIC_ID)
    shelf.has_looked = True
    return shelf


def keep(shelf: Shelf, put: queue.Queue[list[Message]], stop: threading.Event) -> None:
    """Do what the follower does, without Kafka."""
    while not stop.is_set():
        with suppress(queue.Empty):
            batch = put.get(timeout=0.01)
            shelf.tables[str(batch[0].topic())].take(batch)
        shelf.refresh()
