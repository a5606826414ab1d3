"""Kafka and the registry on this machine, without Docker, Java or an administrator.

    backbone = EmbeddedBackbone(home.backbone, settings.cache)
    backbone.install(settings.maven_mirror, report)
    processes = {name: spawn(command) for name, command in backbone.commands().items()}
    # … until backbone.is_kafka_ready() and backbone.is_registry_ready(), then:
    backbone.after_start()

It says how to start and ask them. Starting, watching and restarting is the supervisor's.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from mesh.backbone import registry_server, warmup
from mesh.backbone.artifacts import Artifacts, Report, install
from mesh.backbone.endpoint import Principal
from mesh.backbone.folder_lock import FolderLock
from mesh.backbone.jvm import aot_cache, java_command
from mesh.backbone.kafka_server import ADMIN, ADMIN_MECHANISM, KafkaServer, kafka_program, prepare
from mesh.backbone.process import Command, check_port_free, free_port, is_answering, is_port_free
from mesh.backbone.registry_server import RegistryServer, registry_program
from mesh.errors import BackboneError, MeshError
from mesh.home import cannot_write, write_private

__all__ = ["EmbeddedBackbone"]

_ASK_TIMEOUT_S = 1.0


class EmbeddedBackbone:
    """One Kafka broker and one registry, with their data in *folder*.

    A port of 0 means: the one of the last start if it is free, else any free one.
    """

    def __init__(
        self, folder: Path, cache: Path, kafka_port: int = 0, registry_port: int = 0
    ) -> None:
        self._folder = folder.absolute()
        self._cache = cache.absolute()
        self._wanted = {"kafka": kafka_port, "registry": registry_port}
        self._ports: dict[str, int] = {}
        self._secret = secrets.token_urlsafe(32)
        self._artifacts: Artifacts | None = None
        self._commands: dict[str, Command] = {}
        self._lock = FolderLock(self._folder)
        self._asking: AdminClient | None = None

    def install(self, mirror: str | None, report: Report, *, offline: bool = False) -> None:
        """Fetch the jars unless the cache has them; raises ArtifactError."""
        self._artifacts = install(self._cache, mirror, report, offline)

    def commands(self) -> dict[str, Command]:
        """How to start `kafka` and `registry`; the folder is ours from now until `close`.

        The same at each call, so that a restart keeps ports and password. Raises AlreadyRunning
        where another process has the folder, BackboneError where a port is taken, SettingsError
        where the folder cannot be written.
        """
        if not self._commands:
            self._lock.acquire()
            try:
                self._commands = self._prepared()
            except OSError as error:
                self._lock.release()
                raise cannot_write(self._folder, error) from error
            except MeshError:
                self._lock.release()
                raise
        return dict(self._commands)

    def close(self) -> None:
        """Let go of the folder; the servers should have been stopped."""
        self._asking = None
        self._commands = {}
        self._lock.release()

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address for clients, known after `commands`."""
        return f"127.0.0.1:{self._port('kafka')}"

    @property
    def registry_url(self) -> str:
        """The registry's Confluent-compatible API, known after `commands`."""
        return self._registry().url

    @property
    def admin(self) -> Principal:
        """The administrator (SASL PLAIN); the password holds for the life of this object."""
        return Principal(name=ADMIN, secret=self._secret)

    @property
    def admin_mechanism(self) -> str:
        """The SASL mechanism of the administrator, and of nobody else."""
        return ADMIN_MECHANISM

    def is_kafka_ready(self) -> bool:
        """Say whether the broker answers the administrator, within a second."""
        if not is_answering(self._port("kafka")):
            return False
        if self._asking is None:
            self._asking = AdminClient(self._asking_config())
        try:
            self._asking.describe_cluster(request_timeout=_ASK_TIMEOUT_S).result(_ASK_TIMEOUT_S)
        except (KafkaException, TimeoutError):
            return False
        return True

    def is_registry_ready(self) -> bool:
        """Say whether the registry answers for its storage, within a second."""
        return registry_server.is_ready(self._registry())

    def after_start(self) -> None:
        """Make the registry refuse incompatible schemas; call it after each start of it."""
        registry_server.set_compatibility(self._registry())

    def warmup_command(self) -> Command | None:
        """How to make the AOT caches that are missing, at idle priority; None if none is."""
        if warmup.is_warm(self._cache, self._installed()):
            return None
        return Command(
            argv=(sys.executable, "-P", "-m", "mesh.backbone.warmup", "--cache", str(self._cache)),
            env=warmup.environment(),
            cwd=self._folder,
            log=self._folder / "logs" / "warmup.log",
            nice=19,
        )

    def _prepared(self) -> dict[str, Command]:
        artifacts = self._installed()
        self._choose_ports()
        kafka = KafkaServer(
            folder=self._folder / "kafka",
            port=self._port("kafka"),
            controller_port=self._port("controller"),
            secret=self._secret,
        )
        prepare(kafka)
        registry = self._folder / "registry"
        (registry / "tmp").mkdir(parents=True, exist_ok=True, mode=0o700)
        programs = {
            kafka.folder: kafka_program(artifacts.jars),
            registry: registry_program(artifacts.registry_home, self._registry()),
        }
        for program in programs.values():
            warmup.drop_damaged(self._cache, program)
        return {
            program.name: java_command(
                program,
                folder,
                self._folder / "logs" / f"{program.name}.log",
                # Named even if it is not there yet: a restart finds it.
                (f"-XX:AOTCache={aot_cache(self._cache, program)}",),
                holds=(self._lock.descriptor,),
            )
            for folder, program in programs.items()
        }

    def _choose_ports(self) -> None:
        file = self._folder / "ports.json"
        remembered: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            remembered = json.loads(file.read_text())
        for name in ("kafka", "controller", "registry", "management"):
            wanted = self._wanted.get(name, 0)
            if wanted:
                check_port_free(wanted, f"MESH_{name.upper()}_PORT")
            self._ports[name] = wanted or self._any_port(remembered.get(name, 0))
        write_private(file, json.dumps(self._ports))

    def _any_port(self, remembered: int) -> int:
        taken = {*self._ports.values(), *self._wanted.values()}
        if remembered and remembered not in taken and is_port_free(remembered):
            return remembered
        return next(port for port in iter(free_port, 0) if port not in taken)

    def _port(self, name: str) -> int:
        if name not in self._ports:
            raise BackboneError("the embedded backbone has not been prepared: call commands()")
        return self._ports[name]

    def _registry(self) -> RegistryServer:
        return RegistryServer(port=self._port("registry"), management_port=self._port("management"))

    def _installed(self) -> Artifacts:
        if self._artifacts is None:
            raise BackboneError("the jars are not installed: call install() first")
        return self._artifacts

    def _asking_config(self) -> dict[str, str | int | float | bool]:
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": ADMIN_MECHANISM,
            "sasl.username": ADMIN,
            "sasl.password": self._secret,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,  # a refused connection is an answer here
        }
