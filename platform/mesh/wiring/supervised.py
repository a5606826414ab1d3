"""Wires a mesh together: which processes it has, and in which order they come up."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from mesh.backbone.admin import Admin
from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.endpoint import RUN_FILE as ENDPOINT_FILE
from mesh.backbone.endpoint import Endpoint, Principal, find_endpoint
from mesh.backbone.process import Command
from mesh.contract.project import Project, load_project
from mesh.control.provision import provision
from mesh.control.running import LOCK
from mesh.control.supervisor import Service, Supervisor
from mesh.errors import MeshError, SettingsError
from mesh.home import Home, locked
from mesh.observe.status import ask_status
from mesh.settings import Settings

__all__ = ["address_of", "external_admin", "supervise"]


BACKBONE_TIMEOUT_S = 90.0
PRODUCTS_TIMEOUT_S = 60.0


def supervise(settings: Settings, home: Home) -> None:
    """Run the whole mesh of *settings* in this process until a signal stops it.

    Raises `AlreadyRunning` where one runs in this home, and whatever stopped the start,
    which is also written to `run/mesh.json`.
    """
    with locked(home.run / LOCK, f"the mesh of {home.path}"):
        supervisor = Supervisor(home=home, pid=os.getpid())
        supervisor.listen_for_signals()
        backbone = (
            None
            if settings.is_external
            else EmbeddedBackbone(
                home.backbone, settings.cache, settings.kafka_port, settings.registry_port
            )
        )
        try:
            run_mesh(supervisor, settings, backbone)
        except MeshError as error:
            supervisor.error = str(error)
            raise
        except Exception as error:
            # A fault of ours: the log has all of it, whoever waits is told where.
            supervisor.error = f"{type(error).__name__}: {error} (see {home.logs})"
            raise
        finally:
            supervisor.stop()
            if backbone is not None:
                backbone.close()
            (home.run / ENDPOINT_FILE).unlink(missing_ok=True)
            supervisor.end()


def run_mesh(supervisor: Supervisor, settings: Settings, backbone: EmbeddedBackbone | None) -> None:
    """Start everything in order, then watch it until told to stop."""
    home = supervisor.home
    supervisor.say("reading products")
    project = load_project(settings.project)
    if backbone is None:
        endpoint = find_endpoint(settings, home)
        admin = external_admin(settings, endpoint)
    else:
        backbone.install(settings.maven_mirror, lambda *_: None, offline=settings.offline)
        endpoint, admin = start_backbone(supervisor, backbone)
    set_up(supervisor, project, settings, admin)
    home.write_run(ENDPOINT_FILE, endpoint.as_document())
    start_products(supervisor, project, settings)
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


def external_admin(settings: Settings, endpoint: Endpoint) -> Admin:
    """The administrator that the settings name."""
    if settings.sasl_username is None or settings.sasl_password is None:
        raise SettingsError(
            "an external Kafka needs its administrator, who makes users, topics and rights: "
            "set MESH_SASL_USERNAME and MESH_SASL_PASSWORD"
        )
    secret = settings.sasl_password.get_secret_value()
    admin = Principal(name=settings.sasl_username, secret=secret)
    return Admin(endpoint, admin, settings.admin_mechanism)


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
    supervisor.warnings = [str(each) for each in made.differences]


def start_products(supervisor: Supervisor, project: Project, settings: Settings) -> None:
    """Start the access service and every product."""
    if supervisor.should_stop:
        return
    home = supervisor.home
    own = [("access", "service", ("serve", "access"))]
    own += [(name, "product", ("run", name)) for name in sorted(project.products)]
    services = [
        Service(
            name=name,
            kind=kind,
            command=mesh_command(settings, home, name, arguments),
            is_ready=lambda name=name: is_running(home, name),  # type: ignore[misc]  # bound early
            address=lambda name=name: address_of(home, name),  # type: ignore[misc]  # bound early
        )
        for name, kind, arguments in own
    ]
    supervisor.start(services, PRODUCTS_TIMEOUT_S)


def mesh_command(settings: Settings, home: Home, name: str, arguments: tuple[str, ...]) -> Command:
    """How one of our own processes is started; it finds secrets and addresses in the home."""
    return Command(
        argv=(sys.executable, "-P", "-m", "mesh", *arguments),
        env={
            **inherited(os.environ),
            "MESH_HOME": str(home.path),
            "MESH_PROJECT": str(settings.project),
        },
        cwd=settings.project,
        log=home.logs / f"{name}.log",
    )


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what only the administrator may know."""
    secret = {"MESH_SASL_USERNAME", "MESH_SASL_PASSWORD", "MESH_HTTP_PORT"}
    return {name: value for name, value in environment.items() if name not in secret}


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


def address_of(home: Home, name: str) -> str | None:
    """Where a process of ours says it listens."""
    document = home.read_run(f"{name}.json")
    return str(document["address"]) if document else None


def is_running(home: Home, name: str) -> bool:
    """Whether the process answers and says that it runs."""
    address = address_of(home, name)
    status = ask_status(address, 1.0) if address else None
    return status is not None and status.get("state") == "running"
