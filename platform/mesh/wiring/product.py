"""The process of one product, wired: storage, runtime, door."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import duckdb
from fastapi import FastAPI
from starlette.types import ASGIApp

from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.home import Home
from mesh.observe.openlineage import Job, events_of
from mesh.observe.runlog import RunLog
from mesh.ports.app import door_app
from mesh.ports.door import Door
from mesh.ports.own import Own, Remembered
from mesh.ports.serve import serving
from mesh.ports.waiting import Switch
from mesh.product.listener import Listener
from mesh.product.pause import Pause
from mesh.product.plan import plan_product
from mesh.product.rewriting import Rewriting
from mesh.product.runtime import Runtime
from mesh.product.storage import Storage
from mesh.settings import Settings
from mesh.wiring.accepted import watching
from mesh.wiring.commands import own_commands
from mesh.wiring.doors import door_of, grpc_of, management_of
from mesh.wiring.granted import Granted, granting
from mesh.wiring.opening import run_with_room, stand_by
from mesh.wiring.own import own_routes

__all__ = ["run_product"]

Log = Callable[[str], None]


def run_product(
    settings: Settings,
    home: Home,
    project: Project,
    product: str,
    *,
    log: Log,
    stop: threading.Event,
    is_standby: bool = False,
) -> None:
    """Run *product* until *stop* is set; as a standby, wait first for who holds its storage.

    Raises `AlreadyRunning` where it runs already, and what the runtime cannot wait out.
    """
    plan = plan_product(project, product, home.mask_key)  # First: a name that is none is wrong use.
    endpoint = find_endpoint(settings, home)
    principal = Principal(name=product, secret=home.secret(product))
    path = home.storage(product)
    pause, runs = Pause(path.with_name("pause.json")), RunLog(path.with_name("runs.jsonl"))
    open_storage = partial(open_anew, rewriting := Rewriting(path), path, plan.tables)
    standby = partial(stand_by, open_storage, home, product, stop=stop, log=log)
    if (storage := standby() if is_standby else open_storage()) is None:
        return
    start = partial(Runtime, plan, endpoint=endpoint, principal=principal, log=log, pause=pause)

    def run_once(storage: Storage) -> None:
        runtime = start(storage)
        runtime.watch, runtime.rewriting = watch, rewriting
        app, door = open_door(settings, home, granted, runtime, storage.reader, runs=runs)
        switch.app = app
        with runs.run(runtime.progress.ran), grpc_of(settings, door, product, log):
            runtime.run(stop)

    watched = watching(project, product, endpoint, principal, log)
    following = granting(project, endpoint, principal, log)
    served = serving(switch := Switch(product), settings, home, product)
    with served as address, following as granted, watched as watch:
        log(f"{product} listens at {address}")
        run_with_room(run_once, open_storage, storage, stop=stop, tell=switch.say, log=log)
    log(f"{product} stopped")


def open_anew(
    rewriting: Rewriting, path: Path, tables: Sequence[tuple[str, str, Contract]]
) -> Storage:
    """Open a product's storage, written anew where that was asked for."""
    rewriting.carry_out()
    return Storage.open(path, tables)


def open_door(
    settings: Settings,
    home: Home,
    granted: Granted,
    runtime: Runtime,
    reader: Callable[[], duckdb.DuckDBPyConnection],
    *,
    runs: RunLog,
) -> tuple[ASGIApp, Door]:
    """The product's door, and its HTTP, over further connections to its storage."""
    product, project = runtime.plan.product, granted.files
    contracts = {each.port.name: each.contract for each in runtime.plan.outputs}
    door = door_of(home, granted, product, reader(), contracts)
    job = Job(project, runtime.plan, find_endpoint(settings, home).bootstrap_servers)
    management = management_of(
        settings,
        project,
        product,
        door,
        progress=partial(describe, runtime),
        pausing=runtime.pause,
        rewriting=runtime.rewriting,
        events=partial(events_of, job, runs, runtime.progress.ran),
    )
    app = door_app(door, management)
    add_own(app, door, project, runtime, reader)
    login = (
        find_endpoint(settings, home),
        Principal(name=product.id, secret=home.secret(product.id)),
    )
    commands = own_commands(runtime, door, granted, reader, login)
    if commands is not None:
        app.include_router(commands)
    return app, door


def add_own(
    app: FastAPI,
    door: Door,
    project: Project,
    runtime: Runtime,
    reader: Callable[[], duckdb.DuckDBPyConnection],
) -> None:
    """What the product itself answers at its door."""
    routes = own_routes(runtime.plan.product)
    if routes is None:
        return

    def listen(listener: Listener) -> None:
        runtime.listener = listener

    own = Own(
        product=runtime.plan.product,
        allow=Remembered(door.contract),
        reader=reader,
        listen=listen,
        identifiers=project.identifiers,
        relations=lambda: tuple(
            each.member.relation for each in runtime.plan.inputs if each.member is not None
        ),
        offsets=lambda: runtime.progress.offsets,
    )
    app.include_router(routes(own))


def describe(runtime: Runtime) -> Mapping[str, object]:
    """What the product says of itself."""
    progress = runtime.progress
    silence = runtime.patience.complaint()
    return {
        "name": runtime.plan.product.id,
        "kind": "product",
        "state": "waiting" if silence and progress.state == "running" else progress.state,
        "reason": progress.reason or silence,
        "lag": progress.lag,
        "freshness_s": progress.freshness_s,
        "last_arrival_at": progress.last_arrival_at,
        "offsets": progress.offsets,
    }
