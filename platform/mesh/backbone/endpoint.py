"""Where Kafka and the registry stand, and as whom a client speaks to them.

The one place that knows how an embedded and an external backbone differ for a client:
not at all, once an `Endpoint` is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh.errors import NotRunning
from mesh.home import Home
from mesh.settings import Settings

__all__ = ["Endpoint", "Principal", "find_endpoint"]

RUN_FILE = "endpoint.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who speaks: a product, a system, a service or a person. The secret is never shown."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The addresses of a backbone and how to speak to them."""

    bootstrap_servers: str
    registry_url: str
    security_protocol: str = "SASL_PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-256"
    tls: Mapping[str, str] = field(default_factory=dict)
    registry_login: Principal | None = None

    def client(self, principal: Principal, mechanism: str | None = None) -> dict[str, Any]:
        """The librdkafka settings every client of *principal* starts from."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
            "client.id": principal.name,
            # rdkafka repeats every refused connection while a broker restarts;
            # what matters comes as an exception.
            "log_level": 2,
            **self.tls,
        }
        if self.security_protocol.startswith("SASL"):
            config["sasl.mechanism"] = mechanism or self.sasl_mechanism
            config["sasl.username"] = principal.name
            config["sasl.password"] = principal.secret
        return config

    def as_document(self) -> dict[str, object]:
        """What other processes of this mesh need to know; no secret."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "registry_url": self.registry_url,
        }


def find_endpoint(settings: Settings, home: Home) -> Endpoint:
    """The backbone of the settings, or else the embedded one that runs in *home*.

    Raises `NotRunning` where there is neither.
    """
    if settings.bootstrap_servers is not None:
        return external(settings, settings.bootstrap_servers)
    running = home.read_run(RUN_FILE)
    if running is None:
        raise NotRunning(
            "the mesh is not running: start it with `mesh up`, "
            "or set MESH_BOOTSTRAP_SERVERS and MESH_REGISTRY_URL to use another Kafka"
        )
    return Endpoint(
        bootstrap_servers=str(running["bootstrap_servers"]),
        registry_url=str(running["registry_url"]),
    )


def external(settings: Settings, bootstrap_servers: str) -> Endpoint:
    """The backbone that the settings name."""
    if settings.registry_url is None:
        raise NotRunning(
            "MESH_BOOTSTRAP_SERVERS is set and MESH_REGISTRY_URL is not: "
            "set it to the registry's Confluent-compatible address"
        )
    locations = {
        "ssl.ca.location": settings.ssl_ca_location,
        "ssl.certificate.location": settings.ssl_certificate_location,
        "ssl.key.location": settings.ssl_key_location,
    }
    return Endpoint(
        bootstrap_servers=bootstrap_servers,
        registry_url=settings.registry_url,
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        tls={name: str(Path(value)) for name, value in locations.items() if value is not None},
        registry_login=registry_login(settings),
    )


def registry_login(settings: Settings) -> Principal | None:
    """Who we are to an external registry, if it asks."""
    if settings.registry_username is None or settings.registry_password is None:
        return None
    return Principal(
        name=settings.registry_username, secret=settings.registry_password.get_secret_value()
    )
