"""A real Kafka and a real registry, started, killed, restarted, side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, but not in its __all__
    AclOperation,
    ResourceType,
)

from mesh.backbone.embedded import EmbeddedBackbone
from mesh.errors import AlreadyRunning, BackboneError
from tests.embedded import (
    CACHE,
    A,
    B,
    Running,
    allow,
    make_topic,
    make_user,
    quiet,
    read,
    refusals,
    register,
    started,
    write,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with started(tmp_path_factory.mktemp("mesh")) as running:
        make_user(running, "ada")
        allow(running, "ada", ResourceType.GROUP, "ada", AclOperation.READ)
        yield running


def test_a_second_start_on_the_folder_says_who_has_it(running: Running) -> None:
    folder = running.backbone.commands()["kafka"].cwd.parent
    second = EmbeddedBackbone(folder, CACHE)
    second.install(None, quiet, offline=True)
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}"):
        second.commands()
    assert running.backbone.is_kafka_ready()


def test_the_servers_hold_the_lock_of_the_folder_themselves(running: Running) -> None:
    lock = running.backbone.commands()["kafka"].cwd.parent / "lock"
    for process in running.processes.values():
        assert str(lock) in {file.path for file in psutil.Process(process.pid).open_files()}


def test_a_port_that_is_taken_is_named_with_who_has_it(running: Running, tmp_path: Path) -> None:
    port = int(running.backbone.bootstrap_servers.rpartition(":")[2])
    other = EmbeddedBackbone(tmp_path, CACHE, kafka_port=port)
    other.install(None, quiet, offline=True)
    with pytest.raises(BackboneError, match=f"port {port} is in use by java.*MESH_KAFKA_PORT"):
        other.commands()


def test_a_killed_broker_comes_back_with_port_password_data_and_users(running: Running) -> None:
    before = running.backbone.bootstrap_servers
    make_topic(running, "kept")
    allow(running, "ada", ResourceType.TOPIC, "kept", AclOperation.ALL)
    values = [str(number).encode() for number in range(1000)]
    assert write(running.client("ada"), "kept", values) == []

    running.processes["kafka"].send_signal(signal.SIGKILL)
    running.processes["kafka"].wait()
    assert not running.backbone.is_kafka_ready()
    running.restart("kafka")

    assert running.backbone.bootstrap_servers == before
    assert read(running.client("ada"), "kept", 1000) == values
    assert "kept" in running.admin().list_topics(timeout=10).topics


def test_a_killed_registry_comes_back_with_its_rule_and_the_schema_just_registered(
    running: Running,
) -> None:
    for round_number in range(3):
        assert register(running, f"kept-{round_number}-value", [A]) == 200
        running.processes["registry"].send_signal(signal.SIGKILL)
        running.processes["registry"].wait()
        assert not running.backbone.is_registry_ready()
        running.restart("registry")
        assert register(running, f"kept-{round_number}-value", [B]) == 409


def test_two_backbones_run_side_by_side_and_a_next_start_keeps_the_ports(
    running: Running, tmp_path: Path
) -> None:
    with started(tmp_path) as other:
        addresses = (other.backbone.bootstrap_servers, other.backbone.registry_url)
        assert addresses[0] != running.backbone.bootstrap_servers
        make_topic(other, "only-here")
        assert "only-here" not in running.admin().list_topics(timeout=10).topics
        assert refusals(other.client("admin", running.backbone.admin.secret))
        first_secret = other.backbone.admin.secret
    with started(tmp_path) as again:
        assert (again.backbone.bootstrap_servers, again.backbone.registry_url) == addresses
        assert again.backbone.admin.secret != first_secret
        assert "only-here" in again.admin().list_topics(timeout=10).topics


OWNER = """
import sys, time
from pathlib import Path
from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.process import spawn
folder, cache = map(Path, sys.argv[1:])
backbone = EmbeddedBackbone(folder, cache)
backbone.install(None, lambda *_: None, offline=True)
processes = [spawn(command) for command in backbone.commands().values()]
while not (backbone.is_kafka_ready() and backbone.is_registry_ready()):
    time.sleep(0.05)
print(*[process.pid for process in processes], flush=True)
time.sleep(600)
"""


def test_the_servers_end_with_their_owner_and_the_folder_is_free_at_once(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), str(CACHE)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    assert owner.stdout is not None
    with owner, owner.stdout:
        servers = [int(word) for word in owner.stdout.readline().split()]
        owner.send_signal(signal.SIGKILL)
    assert len(servers) == 2

    with started(tmp_path) as running:
        assert running.backbone.is_kafka_ready()
        assert not any(map(psutil.pid_exists, servers))
