"""Making the JVM's AOT caches."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from mesh.backbone import warmup
from mesh.backbone.artifacts import install
from mesh.backbone.embedded import EmbeddedBackbone
from mesh.backbone.process import last_lines, spawn
from tests.embedded import (
    CACHE,
    quiet,
    started,
    wait_for,
)

pytestmark = [pytest.mark.broker, pytest.mark.slow]


@pytest.fixture
def cold_cache(tmp_path: Path) -> Path:
    """The jars of everybody, without AOT caches."""
    install(CACHE, os.environ.get("MESH_MAVEN_MIRROR"), quiet)
    cache = tmp_path / "cache"
    cache.mkdir()
    for path in (CACHE / "maven", CACHE / "registry", *CACHE.glob("installed-*.json")):
        (cache / path.name).symlink_to(path)
    return cache


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_warm_up_that_is_ended_ends_its_servers_and_leaves_no_cache(
    tmp_path: Path, cold_cache: Path, how: signal.Signals
) -> None:
    backbone = EmbeddedBackbone(tmp_path, cold_cache)
    backbone.install(None, quiet, offline=True)
    command = backbone.warmup_command()
    assert command is not None

    process = spawn(command)
    wait_for(psutil.Process(process.pid).children)
    servers = [child.pid for child in psutil.Process(process.pid).children()]
    process.send_signal(how)
    process.wait(10)

    wait_for(lambda: not any(map(psutil.pid_exists, servers)), timeout_s=2)
    assert last_lines(command.log, 5) == []
    assert not list(cold_cache.glob("aot/*"))
    assert how == signal.SIGKILL or not list(cold_cache.glob("warmup-*"))


def test_a_warm_up_makes_caches_and_a_damaged_one_stops_no_start_and_is_made_again(
    tmp_path: Path, cold_cache: Path
) -> None:
    artifacts = install(cold_cache, None, quiet, offline=True)
    warmup.warm(cold_cache, artifacts)
    assert warmup.is_warm(cold_cache, artifacts)

    (kafka,) = (cold_cache / "aot").glob("kafka-*.aot")
    kafka.write_bytes(kafka.read_bytes()[: 1 << 20])
    assert not warmup.is_warm(cold_cache, artifacts)

    with started(tmp_path / "mesh", cold_cache) as running:
        assert not kafka.exists()
        assert running.backbone.warmup_command() is not None
