"""The process of a product that offers files alone: a door over its Parquet, and nothing else.

It has no storage, no topic and no input; a new delivery is seen within a second. Not here: how
files are delivered (`mesh.product.dump`), a product with topics (`product`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial

import duckdb
from starlette.types import ASGIApp

from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.model import Product
from mesh.contract.project import Project
from mesh.errors import MeshError
from mesh.home import Home
from mesh.ports.app import door_app
from mesh.ports.door import Door
from mesh.ports.serve import serving
from mesh.ports.waiting import Switch
from mesh.product.deliveries import CURRENT, Delivered, batch_ports, deliveries_of, folder_of
from mesh.product.duck import quoted
from mesh.product.pause import Pause
from mesh.settings import Settings
from mesh.wiring.doors import door_of, grpc_of, management_of
from mesh.wiring.granted import Granted, granting

__all__ = ["open_batch", "run_batch"]

POLL_S = 1.0
# So many deliveries are told of; the whole list is in the product's folder.
TOLD = 20
# What a door looks for in a storage: which state it is, and what was set aside.
TABLES = """
create schema mesh;
create table mesh.state (seq bigint, offsets varchar);
create table mesh.batches (id varchar, seq bigint);
create table mesh.quality (port varchar, rule varchar, field varchar, count_rejected bigint);
insert into mesh.state values (0, '{}')
"""


class Files:
    """The files of a product's batch ports as tables, and what is known of their deliveries."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.known: dict[str, tuple[Delivered, ...]] = {}
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute(TABLES)
        self.look()

    def look(self) -> bool:
        """Take note of what was delivered since; whether there is any."""
        found = {each.name: deliveries_of(self.product, each) for each in batch_ports(self.product)}
        if found == self.known:
            return False
        for port in batch_ports(self.product):
            if found[port.name]:
                path = str(folder_of(self.product, port) / CURRENT).replace("'", "''")
                self.connection.execute(
                    f"create or replace view main.{quoted(port.contract.name)} as select *,"
                    f" file_row_number as rowid from read_parquet('{path}', file_row_number=true)"
                )
        count = sum(map(len, found.values()))
        newest = "".join(each[-1].digest for each in found.values() if each)
        rows = [
            (name, *rule.partition("/")[::2], number)
            for name, each in found.items()
            for delivery in each
            for rule, number in delivery.rejected.items()
        ]
        self.connection.execute("begin")
        self.connection.execute("update mesh.state set seq = ?", [count])
        self.connection.execute("insert into mesh.batches values (?, ?)", [newest, count])
        self.connection.execute("delete from mesh.quality")
        for row in rows:
            self.connection.execute("insert into mesh.quality values (?, ?, ?, ?)", list(row))
        self.connection.execute("commit")
        self.known = found
        return True

    def describe(self, pause: Pause) -> Mapping[str, object]:
        """What the product says of itself."""
        every = sorted(
            ((name, each) for name, found in self.known.items() for each in found),
            key=lambda one: one[1].at,
        )
        return {
            "name": self.product.id,
            "kind": "product",
            "state": "paused" if pause.paused else "running",
            "reason": "",
            "lag": 0,
            "freshness_s": None,
            "last_arrival_at": every[-1][1].at if every else None,
            "offsets": {},
            "deliveries": [
                {
                    "port": name,
                    "at": each.at,
                    "rows": each.rows,
                    "rejected": sum(each.rejected.values()),
                }
                for name, each in every[-TOLD:]
            ],
        }


def run_batch(
    settings: Settings,
    home: Home,
    project: Project,
    product: str,
    *,
    log: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Serve the files of *product* until *stop* is set."""
    files = Files(project.product(product))
    pause = Pause(home.storage(product).with_name("pause.json"))
    switch = Switch(product)
    principal = Principal(name=product, secret=home.secret(product))
    following = granting(project, find_endpoint(settings, home), principal, log)
    with serving(switch, settings, home, product) as address, following as granted:
        switch.app, door = open_batch(settings, home, granted, files, pause)
        log(f"{product} listens at {address}")
        with grpc_of(settings, door, product, log):
            follow(files, log, stop)
    log(f"{product} stopped")


def follow(files: Files, log: Callable[[str], None], stop: threading.Event) -> None:
    """Take note of deliveries until *stop* is set."""
    while not stop.wait(POLL_S):
        try:
            if files.look():
                log("a delivery has come")
        except MeshError as error:
            log(f"waiting: {error}")


def open_batch(
    settings: Settings, home: Home, granted: Granted, files: Files, pause: Pause
) -> tuple[ASGIApp, Door]:
    """The product's door, and its HTTP, over its files."""
    product = files.product
    contracts = {
        each.name: each.contract for each in batch_ports(product) if files.known[each.name]
    }
    door = door_of(home, granted, product, files.connection, contracts)
    progress = partial(files.describe, pause)
    management = management_of(
        settings, granted.files, product, door, progress=progress, pausing=pause
    )
    return door_app(door, management), door
