"""A Kafka and a registry for the time of a test session: embedded, or somebody else's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.backbone.admin import Admin
from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.process import last_lines, spawn, stop
from mesh.errors import BackboneError
from mesh.settings import Settings

__all__ = ["Backbone", "embedded", "external"]

START_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """Where a Kafka and a registry stand, and who administers them."""

    endpoint: Endpoint
    admin: Principal
    admin_mechanism: str | None = None
    replication: int = 1

    def administrator(self) -> Admin:
        """A client with the administrator's rights."""
        return Admin(self.endpoint, self.admin, self.admin_mechanism)

    def environment(self) -> dict[str, str]:
        """The settings by which a process of its own uses this backbone."""
        found = {
            "MESH_BOOTSTRAP_SERVERS": self.endpoint.bootstrap_servers,
            "MESH_REGISTRY_URL": self.endpoint.registry_url,
            "MESH_SECURITY_PROTOCOL": self.endpoint.security_protocol,
            "MESH_SASL_USERNAME": self.admin.name,
            "MESH_SASL_PASSWORD": self.admin.secret,
            "MESH_REPLICATION_FACTOR": str(self.replication),
        }
        if self.admin_mechanism is not None:
            found["MESH_ADMIN_MECHANISM"] = self.admin_mechanism
        return found


@contextmanager
def embedded(folder: Path, settings: Settings) -> Iterator[Backbone]:
    """A Kafka and a registry of our own in *folder*, stopped at the end.

    Raises `BackboneError` where they do not come up.
    """
    servers = EmbeddedBackbone(folder, settings.cache)
    servers.install(settings.maven_mirror, lambda *_: None, offline=settings.offline)
    commands = servers.commands()
    processes = {name: spawn(command) for name, command in commands.items()}
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (servers.is_kafka_ready() and servers.is_registry_ready()):
            for name, process in processes.items():
                if process.poll() is not None:
                    lines = "\n".join(last_lines(commands[name].log, 5))
                    raise BackboneError(f"{name} did not start:\n{lines}")
            if time.monotonic() > deadline:
                raise BackboneError(f"no backbone within {START_TIMEOUT_S:.0f} s")
            time.sleep(0.1)
        servers.after_start()
        yield Backbone(
            endpoint=Endpoint(
                bootstrap_servers=servers.bootstrap_servers, registry_url=servers.registry_url
            ),
            admin=servers.admin,
            admin_mechanism=servers.admin_mechanism,
        )
    finally:
        for process in processes.values():
            stop(process, timeout_s=5)
        servers.close()


@contextmanager
def external(settings: Settings) -> Iterator[Backbone]:
    """The Kafka and registry that the settings name. Raises `BackboneError` if they do not."""
    from mesh.backbone.endpoint import external as endpoint_of

    if settings.bootstrap_servers is None or settings.sasl_password is None:
        raise BackboneError(
            "an external backbone needs MESH_BOOTSTRAP_SERVERS, MESH_REGISTRY_URL, "
            "MESH_SASL_USERNAME and MESH_SASL_PASSWORD"
        )
    yield Backbone(
        endpoint=endpoint_of(settings, settings.bootstrap_servers),
        admin=Principal(
            name=settings.sasl_username or "", secret=settings.sasl_password.get_secret_value()
        ),
        admin_mechanism=settings.admin_mechanism,
        replication=settings.replication_factor,
    )
