"""Kafka and a registry in containers for the time of a test session, by testcontainers.

    with containers() as backbone:
        ...

The same images as `docker-compose.yml`, with the same security; one broker, ports on loopback.
A session that was killed leaves its containers behind where Ryuk is switched off, so each
carries a label that names its session, and the next session removes what has no owner.
"""

from __future__ import annotations

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import docker
import httpx
import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from testcontainers.core.container import DockerContainer

from mesh.backbone.direct import direct
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.errors import BackboneError
from mesh.testing.backbone import Backbone
from mesh.testing.engine import why_no_docker

__all__ = ["KafkaContainer", "RegistryContainer", "containers", "why_no_docker"]

KAFKA_IMAGE = "apache/kafka:4.4.0"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"
LABEL = "reference-data-mesh.session"
READY_TIMEOUT_S = 120.0
START, LOGIN = "/tmp/start-kafka.sh", "/tmp/jaas.conf"  # noqa: S108 - inside the container
ADMIN = "admin"

KAFKA_SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_LISTENERS": "HOST://:9092,INTERNAL://localhost:9093,CONTROLLER://localhost:9094",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": (
        "HOST:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"
    ),
    "KAFKA_SASL_ENABLED_MECHANISMS": "PLAIN,SCRAM-SHA-256",
    "KAFKA_SASL_MECHANISM_INTER_BROKER_PROTOCOL": "PLAIN",
    "KAFKA_SASL_MECHANISM_CONTROLLER_PROTOCOL": "PLAIN",
    "KAFKA_AUTHORIZER_CLASS_NAME": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "KAFKA_SUPER_USERS": f"User:{ADMIN}",
    "KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND": "false",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS": "4",
    "KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "1000",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_HEAP_OPTS": "-Xmx384m",
    "KAFKA_OPTS": f"-Djava.security.auth.login.config={LOGIN}",
}


class OwnContainer(DockerContainer):
    """A container on loopback that a later session can recognise as abandoned."""

    def __init__(self, image: str, port: int, settings: dict[str, str]) -> None:
        super().__init__(image)
        self.port = port
        self.with_exposed_ports(port)
        # docker-py's form of "any free port, on loopback"; testcontainers would take 0.0.0.0.
        self.ports: dict[int, tuple[str]] = {port: ("127.0.0.1",)}  # type: ignore[assignment]  # as said
        self.with_kwargs(labels={LABEL: session_mark(psutil.Process())})
        for name, value in settings.items():
            self.with_env(name, value)

    @property
    def address(self) -> str:
        """Host and port as seen from here."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(self.port)}"


class KafkaContainer(OwnContainer):
    """`apache/kafka` with SASL and ACLs; *admin* logs in by PLAIN, everyone else by SCRAM."""

    def __init__(self, admin: Principal) -> None:
        super().__init__(KAFKA_IMAGE, 9092, KAFKA_SETTINGS)
        self.admin = admin
        # The broker must advertise the port that Docker gives it, known only after the start:
        # so it waits for a script that is put in once the port is known.
        self.with_command(
            ["bash", "-c", f"until [ -s {START} ]; do sleep 0.05; done; exec bash {START}"]
        )

    def start(self) -> KafkaContainer:
        """Start, and return once the broker answers its administrator."""
        super().start()
        advertised = f"HOST://{self.address},INTERNAL://localhost:9093"
        put(self, LOGIN, jaas(self.admin))
        put(
            self,
            START,
            f"export KAFKA_ADVERTISED_LISTENERS={advertised}\nexec /etc/kafka/docker/run\n",
        )
        config: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.address,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": self.admin.name,
            "sasl.password": self.admin.secret,
            "log_level": 0,
        }
        wait_until(lambda: answers(config), self, "Kafka")
        return self


class RegistryContainer(OwnContainer):
    """`apicurio/apicurio-registry`, in memory."""

    def __init__(self) -> None:
        settings = {"APICURIO_STORAGE_KIND": "sql", "QUARKUS_HTTP_ACCESS_LOG_ENABLED": "false"}
        super().__init__(REGISTRY_IMAGE, 8080, settings)

    @property
    def url(self) -> str:
        """The Confluent-compatible address."""
        return f"http://{self.address}/apis/ccompat/v7"

    def start(self) -> RegistryContainer:
        """Start, and return once it lists its subjects."""
        super().start()
        wait_until(lambda: lists_subjects(self.url), self, "the registry")
        return self


@contextmanager
def containers() -> Iterator[Backbone]:
    """One broker and one registry, removed at the end.

    Raises `BackboneError` where they do not come up.
    """
    remove_abandoned()
    admin = Principal(name=ADMIN, secret=secrets.token_urlsafe(24))
    with ExitStack() as stack:
        kafka, registry = KafkaContainer(admin), RegistryContainer()
        for each in (kafka, registry):
            stack.callback(each.stop)
            each.start()
        yield Backbone(
            endpoint=Endpoint(bootstrap_servers=kafka.address, registry_url=registry.url),
            admin=admin,
            admin_mechanism="PLAIN",
        )


def remove_abandoned() -> None:
    """Remove the containers of sessions that are no more."""
    client = docker.from_env()
    try:
        for each in client.containers.list(all=True, filters={"label": LABEL}):
            if not is_alive(each.labels[LABEL]):
                each.remove(force=True, v=True)
    finally:
        client.close()


def session_mark(process: psutil.Process) -> str:
    """What tells a session from a later one that was given the same pid."""
    return f"{process.pid}/{process.create_time():.2f}"


def is_alive(mark: str) -> bool:
    """Whether the session with this mark still runs."""
    try:
        process = psutil.Process(int(mark.split("/")[0]))
        return session_mark(process) == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False


def put(container: DockerContainer, path: str, text: str) -> None:
    """Write a file into a running container."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo(path.lstrip("/"))
        content = text.encode()
        info.size, info.mode = len(content), 0o644
        tar.addfile(info, io.BytesIO(content))
    container.get_wrapped_container().put_archive("/", archive.getvalue())


def jaas(admin: Principal) -> str:
    """The broker's login configuration."""
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    return (
        f'KafkaServer {{\n  {plain} username="{admin.name}" password="{admin.secret}"'
        f' user_{admin.name}="{admin.secret}";\n  {scram};\n}};\n'
    )


def wait_until(is_ready: Callable[[], bool], container: DockerContainer, name: str) -> None:
    """Wait, and raise `BackboneError` with the container's last words if it is in vain."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_ready():
        wrapped = container.get_wrapped_container()
        wrapped.reload()
        if wrapped.status == "exited" or time.monotonic() > deadline:
            words = wrapped.logs(tail=5).decode(errors="replace")
            raise BackboneError(f"{name} did not come up in its container:\n{words}")
        time.sleep(0.2)


def answers(config: dict[str, str | int | float | bool]) -> bool:
    """Whether the broker answers its administrator.

    A new client each time: Docker's proxy takes connections before the broker does, and a
    client may wait long on one that nobody answers.
    """
    client = AdminClient(config)
    try:
        client.describe_cluster(request_timeout=2.0).result(2.5)
    except (KafkaException, TimeoutError):
        return False
    return True


def lists_subjects(url: str) -> bool:
    """Whether the registry answers."""
    try:
        return httpx.get(f"{url}/subjects", timeout=1.0, **direct(url)).is_success
    except httpx.HTTPError:
        return False
