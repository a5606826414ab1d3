"""A catalogue for tests: in this process, on a real Kafka or on a bus of our own in memory."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from catalog.api import catalogue_app
from catalog.desk import Desk
from catalog.service import run_catalogue
from catalog.store import Store
from mesh.backbone.bus import Bus
from mesh.backbone.endpoint import Principal
from mesh.contract.catalogue import CATALOGUE, OWN_TOPICS, PRODUCTS_TOPIC, SERVICE
from mesh.contract.project import load_lists
from mesh.control.joined import add_principal
from mesh.control.tokens import issue_token
from mesh.errors import Refused
from mesh.home import Home
from mesh.ports.serve import Server
from mesh.settings import Settings
from mesh.testing import Workbench
from mesh.wiring.joining import Joining, joining
from tests.repository import ROOT

__all__ = ["BusInMemory", "Catalogue", "Memory", "in_memory", "open_catalogue"]

START_TIMEOUT_S = 30.0


class BusInMemory:
    """The catalogue's topics as lists, for tests without a broker."""

    def __init__(self) -> None:
        self.written: dict[str, list[tuple[str, Mapping[str, Any] | None]]] = {
            name: [] for name in OWN_TOPICS
        }

    def write(self, topic: str, key: str, record: Mapping[str, Any] | None) -> int:
        """Append a record."""
        self.written[topic].append((key, record))
        return len(self.written[topic]) - 1

    def whole(self, topic: str) -> Iterator[tuple[str, Any, int, int]]:
        """Every record that was written."""
        for offset, (key, record) in enumerate(self.written[topic]):
            yield key, record, offset, 1_700_000_000_000 + offset


@dataclass(kw_only=True)
class Memory:
    """A catalogue without a broker: a token is `token of NAME`."""

    store: Store
    bus: BusInMemory
    desk: Desk
    client: httpx.Client
    domains: dict[str, str] = field(default_factory=dict)

    def put(self, id_: str, body: object, principal: str | None = None) -> httpx.Response:
        """Register over HTTP, as the product itself or as *principal*."""
        headers = {"Authorization": f"Bearer token of {principal or id_}"}
        content = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.put(f"/products/{id_}", content=content, headers=headers)


def principal_of(token: str) -> str:
    """Whom a token of these tests speaks for."""
    if not token.startswith("token of "):
        raise Refused("the token is not valid")
    return token.removeprefix("token of ")


@contextmanager
def in_memory(folder: Path, root: Path = ROOT, **domains: str) -> Iterator[Memory]:
    """A catalogue of the products that *domains* names (`_` for `-`), beside no broker."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {name.replace("_", "-"): domain for name, domain in domains.items()}
    store, bus = Store(folder, lambda: load_lists(root)), BusInMemory()
    store.rebuild(bus)  # type: ignore[arg-type]  # a fake of the same shape
    desk = Desk(store, bus, lambda _=0.0: known)  # type: ignore[arg-type]  # as above
    app = catalogue_app(desk, principal_of)
    server = Server(app, Home.open(folder / "home"), SERVICE, host="127.0.0.1", port=0)
    server.start()
    try:
        with httpx.Client(base_url=server.address, timeout=30, trust_env=False) as client:
            yield Memory(store=store, bus=bus, desk=desk, client=client, domains=known)
    finally:
        server.stop()
        store.close()


@dataclass(kw_only=True)
class Catalogue:
    """A catalogue on the bench's Kafka, with those who let products join."""

    bench: Workbench
    restart: Callable[[], None]

    @property
    def address(self) -> str:
        """Where it answers."""
        found = self.bench.home.address(SERVICE)
        assert found is not None
        return found

    def join(self, name: str, domain: str) -> Principal:
        """Make a principal, as `mesh principal add` does."""
        add_principal(self.bench.project(), self.bench.home, name, domain)
        return self.bench.principal(name)

    def token(self, name: str) -> str:
        """A good token of *name*."""
        return issue_token(self.bench.home, self.bench.principal(name))

    def ask(self, method: str, path: str, principal: str = "", body: Any = None) -> httpx.Response:
        """Ask it something, as *principal* or as nobody."""
        headers = {"Authorization": f"Bearer {self.token(principal)}"} if principal else {}
        return httpx.request(
            method, self.address + path, json=body, headers=headers, timeout=30, trust_env=False
        )

    def records(self, id_: str) -> list[bytes | None]:
        """What was ever written for a product to the topic of accepted products."""
        found = self.bench.messages(PRODUCTS_TOPIC)
        return [each.value() for each in found if each.key() == id_.encode()]


class InThread:
    """The catalogue's process, as a thread that can be ended and started anew."""

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home
        self._stop = threading.Event()
        self._thread = threading.Thread()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=run_catalogue,
            args=(self._settings, self._home),
            kwargs={"log": lambda _: None, "stop": self._stop},
            daemon=True,
        )
        self._thread.start()
        wait_until(lambda: self._home.address(SERVICE) is not None)

    def end(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(START_TIMEOUT_S)
        assert not self._thread.is_alive()

    def restart(self) -> None:
        """End it, delete its read model, and start it."""
        self.end()
        shutil.rmtree(self._home.path / SERVICE)
        self.start()


@contextmanager
def open_catalogue(bench: Workbench, *, is_movable: bool = False) -> Iterator[Catalogue]:
    """Run a catalogue on the bench's Kafka for the time of a block, empty at first.

    With *is_movable*, a drill may move its clock.
    """
    endpoint = bench.backbone.endpoint
    bench.home.write_run("endpoint.json", endpoint.as_document())
    settings = Settings(
        project=bench.root,
        home=bench.home.path,
        bootstrap_servers=endpoint.bootstrap_servers,
        registry_url=endpoint.registry_url,
        security_protocol=endpoint.security_protocol,  # type: ignore[arg-type]  # one of its words
        movable_clock=is_movable,
    )
    forget_everything(bench)
    process = InThread(settings, bench.home)
    work = Joining(
        project=bench.project(),
        home=bench.home,
        admin=bench.backbone.administrator(),
        replication=bench.backbone.replication,
        address=lambda: bench.home.address(SERVICE),
    )
    process.start()
    try:
        with joining(work):
            assert work.is_registered.wait(START_TIMEOUT_S)
            yield Catalogue(bench=bench, restart=process.restart)
    finally:
        process.end()


def forget_everything(bench: Workbench) -> None:
    """Withdraw whatever another test has left on the topics that all share."""
    bus = Bus(bench.backbone.endpoint, bench.principal(CATALOGUE), OWN_TOPICS)
    for topic in OWN_TOPICS:
        left = {key: record for key, record, _, _ in bus.whole(topic)}
        for key, record in left.items():
            if record is not None:
                bus.write(topic, key, None)


def wait_until(holds: Callable[[], object], timeout_s: float = START_TIMEOUT_S) -> None:
    """Wait until something holds. Raises `TimeoutError` if it does not."""
    stop = threading.Event()
    for _ in range(int(timeout_s / 0.1)):
        if holds():
            return
        stop.wait(0.1)
    raise TimeoutError("it does not hold")
