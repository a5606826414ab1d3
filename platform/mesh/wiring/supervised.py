"""Wires a mesh together: which processes it has, and in which order they come up."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping

from mesh.backbone.admin import Admin
from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.endpoint import RUN_FILE as ENDPOINT_FILE
from mesh.backbone.endpoint import Endpoint, find_endpoint
from mesh.backbone.process import Command
from mesh.contract.audit import AUDIT_SERVICE
from mesh.contract.catalogue import SERVICE
from mesh.contract.project import Project, load_project
from mesh.contract.sql import SQL_SERVICE
from mesh.control.forked import Process, forking
from mesh.control.provision import provision
from mesh.control.running import LOCK
from mesh.control.service import Service
from mesh.control.supervisor import Supervisor
from mesh.errors import MeshError
from mesh.home import Home, locked
from mesh.observe.status import answers, ask_status
from mesh.settings import Settings
from mesh.wiring.external import external_admin
from mesh.wiring.joining import has_catalogue, joining, joining_of

__all__ = ["READY", "supervise"]

# What whoever started us in the background says when it has seen that all is ready.
READY = b"ready\n"
Spawn = Callable[[Command], Process]
FORKED = "mesh.wiring.forked"
READY_STATES = ("running", "recovering", "paused", "ungranted")
BACKBONE_TIMEOUT_S = 90.0
ANSWER_TIMEOUT_S = 10.0
PRODUCTS_TIMEOUT_S = 60.0
REGISTER_TIMEOUT_S = 30.0


def supervise(
    settings: Settings,
    home: Home,
    *,
    report: Callable[[str], None] = lambda _: None,
    starter: int | None = None,
) -> None:
    """Run the whole mesh of *settings* in this process until a signal stops it.

    *report* is told each step; *starter* is the descriptor of a pipe from whoever waits for us
    to be ready. Raises `AlreadyRunning` where one runs in this home, and whatever stopped the
    start, which is also written to `run/mesh.json`.
    """
    with (
        locked(home.run / LOCK, f"the mesh of {home.path}"),
        # It imports while Kafka starts.
        forking(FORKED, own_environment(settings)) as spawn,
    ):
        lock = home.run / LOCK
        supervisor = Supervisor(home=home, pid=os.getpid(), report=report, lock=lock)
        supervisor.listen_for_signals()
        if starter is not None:
            threading.Thread(target=stop_without, args=(starter,), daemon=True).start()
        backbone = embedded_backbone(settings, home)
        try:
            run_mesh(supervisor, settings, backbone, spawn)
        except MeshError as error:
            supervisor.error = str(error)
            raise
        except Exception as error:
            # A fault of ours: the log has all of it, whoever waits is told where.
            supervisor.error = f"{type(error).__name__}: {error} (its log: {home.log})"
            raise
        finally:
            supervisor.stop()
            if backbone is not None:
                backbone.close()
            if supervisor.has_home:
                (home.run / ENDPOINT_FILE).unlink(missing_ok=True)
            supervisor.end()


def embedded_backbone(settings: Settings, home: Home) -> EmbeddedBackbone | None:
    """The Kafka and registry of our own, or None where they are somebody else's."""
    if settings.is_external:
        return None
    return EmbeddedBackbone(
        home.backbone, settings.cache, settings.kafka_port, settings.registry_port
    )


def stop_without(starter: int) -> None:
    """Stop this process if *starter* closes its end before it has seen that all is ready.

    So a start that was interrupted, however, leaves nothing behind.
    """
    # Not through a buffered file: its lock, held by a waiting thread, breaks Python's own end.
    if os.read(starter, len(READY)) != READY:
        os.kill(os.getpid(), signal.SIGTERM)


def run_mesh(
    supervisor: Supervisor, settings: Settings, backbone: EmbeddedBackbone | None, spawn: Spawn
) -> None:
    """Start everything in order, our own processes by *spawn*, then watch it until told to stop."""
    home = supervisor.home
    supervisor.say("reading products")
    project = load_project(settings.project)
    if backbone is None:
        endpoint = find_endpoint(settings, home)
        admin = external_admin(settings, home, endpoint)
    else:
        backbone.install(settings.maven_mirror, lambda *_: None, offline=settings.offline)
        endpoint, admin = start_backbone(supervisor, backbone)
    set_up(supervisor, project, settings, admin)
    home.write_run(ENDPOINT_FILE, endpoint.as_document())
    with joining(joining_of(supervisor, project, settings, admin)) as work:
        start_products(supervisor, project, settings, spawn)
        if has_catalogue() and not supervisor.should_stop:
            supervisor.say("registering products in the catalogue")
            work.is_registered.wait(REGISTER_TIMEOUT_S)
        start_warmup(supervisor, backbone)
        if not supervisor.should_stop:
            supervisor.watch()


def start_backbone(supervisor: Supervisor, backbone: EmbeddedBackbone) -> tuple[Endpoint, Admin]:
    """Start both servers and wait for them."""
    commands = backbone.commands()
    kafka = Service(
        name="kafka",
        kind="backbone",
        command=commands["kafka"],
        is_ready=backbone.is_kafka_ready,
        address=lambda: backbone.bootstrap_servers,
    )
    registry = Service(
        name="registry",
        kind="backbone",
        command=commands["registry"],
        is_ready=backbone.is_registry_ready,
        address=lambda: backbone.registry_url,
        after_start=backbone.after_start,
    )
    supervisor.start([kafka, registry], BACKBONE_TIMEOUT_S)
    endpoint = Endpoint(
        bootstrap_servers=backbone.bootstrap_servers, registry_url=backbone.registry_url
    )
    return endpoint, Admin(endpoint, backbone.admin, backbone.admin_mechanism)


def set_up(supervisor: Supervisor, project: Project, settings: Settings, admin: Admin) -> None:
    """Principals, rights, topics and schemas, unless we are to stop."""
    if supervisor.should_stop:
        return
    made = provision(
        project,
        supervisor.home,
        admin,
        replication=settings.replication_factor,
        report=lambda step: supervisor.say(f"making {step}"),
    )
    supervisor.warnings = list(made.warnings)


def start_products(
    supervisor: Supervisor, project: Project, settings: Settings, spawn: Spawn
) -> None:
    """Start the services of the platform, the catalogue and every product."""
    if supervisor.should_stop:
        return
    home = supervisor.home
    own: list[tuple[str, str, tuple[str, ...]]]
    own = [("access", "service", ("mesh", "serve", "access"))]
    own += [(each, "service", ("mesh", "serve", each)) for each in (AUDIT_SERVICE, SQL_SERVICE)]
    own += [(SERVICE, "service", ("catalog",))] if has_catalogue() else []
    own += [(name, "product", ("mesh", "run", name)) for name in sorted(project.products)]
    services = [
        Service(
            name=name,
            kind=kind,
            command=mesh_command(settings, home, name, arguments),
            spawn=spawn,
            is_ready=lambda name=name: is_running(home, name),  # type: ignore[misc]  # bound early
            address=lambda name=name: home.address(name),  # type: ignore[misc]  # bound early
            answers=lambda name=name: is_alive(home, name),  # type: ignore[misc]  # bound early
        )
        for name, kind, arguments in own
    ]
    supervisor.start(services, PRODUCTS_TIMEOUT_S)


def mesh_command(settings: Settings, home: Home, name: str, arguments: tuple[str, ...]) -> Command:
    """How one of our own processes is started; it finds secrets and addresses in the home."""
    return Command(
        argv=(sys.executable, "-P", "-m", *arguments),
        env=own_environment(settings),
        cwd=settings.project,
        log=home.logs / f"{name}.log",
    )


def own_environment(settings: Settings) -> dict[str, str]:
    """The environment of our own processes."""
    return {
        **inherited(os.environ),
        **settings.paths(),
        "MESH_DEBUG": "true",  # its log is the place for a traceback
    }


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what only the administrator may know, or one process is meant by."""
    secret = {"MESH_SASL_USERNAME", "MESH_SASL_PASSWORD"}
    own = {"MESH_HTTP_PORT", "MESH_FAILPOINT"}
    return {name: value for name, value in environment.items() if name not in secret | own}


def start_warmup(supervisor: Supervisor, backbone: EmbeddedBackbone | None) -> None:
    """Make the JVMs' caches in the background, once, so that the next start is faster."""
    command = backbone.warmup_command() if backbone is not None else None
    if command is None or supervisor.should_stop:
        return
    task = Service(name="warm-up", kind="task", command=command, is_ready=lambda: False)
    task.start()
    # A task is not restarted: it ends by itself, and the next start tries again.
    task.state = "task"
    supervisor.services.append(task)


def is_running(home: Home, name: str) -> bool:
    """Whether the process answers and does its work.

    Rebuilding a storage is work too, and may take longer than anybody wants to wait; who is
    paused does what it should, and who must be granted an input what it may.
    """
    address = home.address(name)
    status = ask_status(address, 1.0) if address else None
    return status is not None and status.get("state") in READY_STATES


def is_alive(home: Home, name: str) -> bool:
    """Whether the process answers at all, as far as it listens anywhere."""
    address = home.address(name)
    return address is None or answers(address, ANSWER_TIMEOUT_S)
