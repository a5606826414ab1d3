"""Fetching the jars: what is fetched, kept, noticed and fetched again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.backbone.artifacts import install
from mesh.backbone.download import repository
from mesh.backbone.lockfile import Item, Lock, read_lock
from tests.maven import (
    CONTENTS,
    Reports,
    Repository,
    fetched,
    filled,
    installer,
    names,
    serving,
)


@pytest.fixture
def repo() -> Iterator[Repository]:
    with serving() as repository:
        yield repository


@pytest.fixture
def lock(tmp_path: Path, repo: Repository) -> Lock:
    return filled(tmp_path, repo)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_an_item_stands_where_maven_puts_it() -> None:
    item = Item(coordinates="at.yawk.lz4:lz4-java:1.11.2", size=1, sha256="")
    assert item.path == "at/yawk/lz4/lz4-java/1.11.2/lz4-java-1.11.2.jar"
    item = Item(coordinates="io.x:app:3.3.3:tar.gz:all", size=1, sha256="")
    assert item.path == "io/x/app/3.3.3/app-3.3.3-all.tar.gz"


def test_the_lock_file_of_the_mesh_names_thirty_jars_and_the_registry() -> None:
    lock = read_lock()
    assert len(lock.jars) == 30
    assert lock.registry.coordinates == "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
    assert all(len(item.sha256) == 64 and item.size for item in (*lock.jars, lock.registry))


def test_the_first_install_fetches_checks_and_unpacks(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    reports = Reports()
    found = install(cache, repo.address, reports, lock=lock)

    assert [jar.read_bytes() for jar in found.jars] == list(CONTENTS.values())[:2]
    assert (found.registry_home / "quarkus" / "run.jar").read_bytes() == b"run"
    assert not (cache / "maven" / lock.registry.path).exists()
    total = sum(item.size for item in (*lock.jars, lock.registry))
    assert ("fetching Kafka and the registry", total, total) in reports.said


def test_a_second_install_asks_nobody(cache: Path, repo: Repository, lock: Lock) -> None:
    first = fetched(cache, repo, lock)
    repo.asked.clear()
    assert install(cache, None, Reports(), offline=True, lock=lock) == first
    assert repo.asked == []


def test_a_mirror_may_be_a_folder(tmp_path: Path, cache: Path, lock: Lock) -> None:
    mirror = tmp_path / "mirror"
    for item in (*lock.jars, lock.registry):
        path = mirror / item.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENTS[item.coordinates])
    assert len(install(cache, mirror.as_uri(), Reports(), lock=lock).jars) == 2


@pytest.mark.parametrize("damage", [b"", b"one ", b"onE " * 1000], ids=["empty", "cut", "changed"])
def test_a_damaged_jar_is_noticed_and_fetched_again(
    cache: Path, repo: Repository, lock: Lock, damage: bytes
) -> None:
    jar = fetched(cache, repo, lock).jars[0]
    jar.write_bytes(damage)
    repo.asked.clear()
    reports = Reports()

    install(cache, repo.address, reports, lock=lock)

    assert jar.read_bytes() == CONTENTS["org.example:one:1.0"]
    assert "one-1.0.jar in the cache is damaged: fetching it again" in reports.text
    assert names(repo.asked) == ["one-1.0.jar"]


def test_a_jar_that_is_only_younger_is_checked_and_kept(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    os.utime(fetched(cache, repo, lock).jars[0])
    repo.asked.clear()
    reports = Reports()
    install(cache, repo.address, reports, lock=lock)
    assert repo.asked == []
    assert "damaged" not in reports.text


def test_a_damaged_registry_is_fetched_again(cache: Path, repo: Repository, lock: Lock) -> None:
    jar = fetched(cache, repo, lock).registry_home / "lib" / "main" / "a.jar"
    jar.write_bytes(b"")
    repo.asked.clear()
    fetched(cache, repo, lock)
    assert jar.read_bytes() == b"a" * 100
    assert names(repo.asked) == ["registry-3-all.tar.gz"]


def test_two_installers_at_once_fetch_each_file_once(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    repo.slow_s = 0.3
    both = [installer(cache, repo), installer(cache, repo)]
    assert [each.wait(30) for each in both] == [0, 0]
    assert len(repo.asked) == 3
    assert len(install(cache, None, Reports(), offline=True, lock=lock).jars) == 2


def test_a_whole_cache_is_only_read(cache: Path, repo: Repository, lock: Lock) -> None:
    first = fetched(cache, repo, lock)
    (cache / "install.lock").unlink()
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    assert fetched(cache, repo, lock) == first
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_without_a_mirror_the_address_is_the_one_that_jgo_takes() -> None:
    assert repository(None).startswith("https://")


def test_a_removed_registry_is_fetched_again(cache: Path, repo: Repository, lock: Lock) -> None:
    shutil.rmtree(fetched(cache, repo, lock).registry_home)
    assert (fetched(cache, repo, lock).registry_home / "quarkus" / "run.jar").exists()
