"""One Apicurio Registry on the loopback, with its schemas in an H2 file in a folder of its own.

Not on Kafka: so it starts while Kafka starts, and answers nothing before it knows everything.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from mesh.backbone.jvm import Program
from mesh.errors import BackboneError, Unreachable

__all__ = ["COMPATIBILITY", "RegistryServer", "is_ready", "registry_program", "set_compatibility"]

# Apicurio checks nothing unless told (Confluent's registry: BACKWARD).
COMPATIBILITY = "FULL_TRANSITIVE"

# 250 MB resident with this; half of it is classes and code.
HEAP_MB = 256

_API = "/apis/ccompat/v7"
_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryServer:
    """Where a registry listens."""

    port: int
    management_port: int

    @property
    def url(self) -> str:
        """The Confluent-compatible API."""
        return f"http://127.0.0.1:{self.port}{_API}"


def registry_program(home: Path, server: RegistryServer) -> Program:
    """The registry as a Java program; it keeps its data in its working directory.

    One flat class path in place of `quarkus-run.jar`, whose own class loader hides the
    application from the AOT cache.
    """
    quarkus = home / "quarkus"
    return Program(
        name="registry",
        heap_mb=HEAP_MB,
        class_path=(
            # In this order: they hold other versions of classes that come later.
            quarkus / "generated-bytecode.jar",
            quarkus / "transformed-bytecode.jar",
            *sorted((home / "app").glob("*.jar")),
            *sorted((home / "lib" / "boot").glob("*.jar")),
            *sorted((home / "lib" / "main").glob("*.jar")),
        ),
        main="io.quarkus.runner.GeneratedMain",
        flags=(
            "--add-opens=java.base/java.lang=ALL-UNNAMED",  # as the manifest of quarkus-run.jar
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        ),
        env=_environment(server),
    )


def _environment(server: RegistryServer) -> dict[str, str]:
    return {
        "QUARKUS_HTTP_HOST": "127.0.0.1",
        "QUARKUS_HTTP_PORT": str(server.port),
        "QUARKUS_MANAGEMENT_HOST": "127.0.0.1",
        "QUARKUS_MANAGEMENT_PORT": str(server.management_port),
        "QUARKUS_HTTP_IO_THREADS": "2",
        "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false",
        "QUARKUS_LOG_CATEGORY__IO_APICURIO__LEVEL": "WARN",
        "QUARKUS_OTEL_SDK_DISABLED": "true",
        "APICURIO_STORAGE_KIND": "sql",
        "APICURIO_STORAGE_SQL_KIND": "h2",
        # H2 answers half a second before it writes, unless told: a schema that a message on Kafka
        # names would be gone after a kill, and its id given to another.
        "APICURIO_DATASOURCE_URL": "jdbc:h2:file:./registry;WRITE_DELAY=0",
        "APICURIO_DATASOURCE_JDBC_INITIAL_SIZE": "1",
        "APICURIO_DATASOURCE_JDBC_MIN_SIZE": "1",
        "APICURIO_DATASOURCE_JDBC_MAX_SIZE": "8",
    }


def is_ready(server: RegistryServer) -> bool:
    """Say whether the registry answers for its storage, within a second."""
    url = f"http://127.0.0.1:{server.management_port}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == http.client.OK)
    except urllib.error.HTTPError as error:  # 503 until the storage is up
        error.close()
    except (OSError, http.client.HTTPException):
        pass
    return False


def set_compatibility(server: RegistryServer) -> None:
    """Make the registry refuse schemas that are not FULL_TRANSITIVE.

    Raises Unreachable where it does not answer, BackboneError where it does not take it.
    """
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{server.url}/config",
        data=json.dumps({"compatibility": COMPATIBILITY}).encode(),
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310  # as above
            return
    except urllib.error.HTTPError as error:
        error.close()
        raise BackboneError(
            f"the registry does not take {COMPATIBILITY} (HTTP {error.code}): see its log"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"the registry at {server.url} does not answer: {error}") from error
