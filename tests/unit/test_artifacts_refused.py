"""Fetching the jars where the network, the mirror or the disk is in the way."""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.backbone import artifacts as module
from mesh.backbone.artifacts import install
from mesh.backbone.download import repository
from mesh.backbone.lockfile import Lock
from mesh.errors import ArtifactError
from tests.maven import (
    CONTENTS,
    REGISTRY,
    Reports,
    Repository,
    archive,
    fetched,
    filled,
    installer,
    lock_of,
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


def test_offline_without_a_cache_says_what_is_missing_and_what_to_do(
    cache: Path, lock: Lock
) -> None:
    with pytest.raises(ArtifactError, match=r"org\.example:one.*MESH_MAVEN_MIRROR") as caught:
        install(cache, None, Reports(), offline=True, lock=lock)
    assert "\n" not in str(caught.value)


def test_no_network_says_what_is_missing_and_what_to_do(cache: Path, lock: Lock) -> None:
    with pytest.raises(ArtifactError, match=r"Connection refused.*MESH_MAVEN_MIRROR"):
        install(cache, "http://127.0.0.1:1", Reports(), lock=lock)


def test_a_mirror_without_the_file_is_asked_once(cache: Path, repo: Repository, lock: Lock) -> None:
    repo.files.clear()
    with pytest.raises(ArtifactError, match="HTTP 404"):
        fetched(cache, repo, lock)
    assert len(repo.asked) == len(set(repo.asked))


def test_a_mirror_that_is_busy_is_asked_again(cache: Path, repo: Repository, lock: Lock) -> None:
    repo.busy = 2
    assert len(fetched(cache, repo, lock).jars) == 2


def test_a_mirror_with_another_file_of_that_name_is_refused(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    path = lock.jars[0].path
    repo.files[f"/{path}"] = b"ONE " * 1000
    with pytest.raises(ArtifactError, match=r"one-1\.0\.jar .* another SHA-256"):
        fetched(cache, repo, lock)
    assert not (cache / "maven" / path).exists()


def test_a_broken_connection_leaves_nothing_that_looks_whole(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    path = lock.jars[0].path
    repo.half.add(f"/{path}")
    with pytest.raises(ArtifactError, match="2000 of 4000 bytes came"):
        fetched(cache, repo, lock)
    assert not (cache / "maven" / path).exists()

    repo.half.clear()
    assert fetched(cache, repo, lock).jars[0].read_bytes() == CONTENTS["org.example:one:1.0"]


def test_an_installer_killed_half_way_leaves_nothing_that_looks_whole(
    cache: Path, repo: Repository, lock: Lock
) -> None:
    repo.slow_s = 5
    killed = installer(cache, repo)
    while len(repo.asked) < 3:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    repo.slow_s = 0

    found = fetched(cache, repo, lock)

    assert [jar.read_bytes() for jar in found.jars] == list(CONTENTS.values())[:2]
    assert not any((cache / "tmp").iterdir())


def test_a_cache_that_cannot_be_written_says_so(
    tmp_path: Path, repo: Repository, lock: Lock
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match=r"cannot be written .* set MESH_CACHE"):
        fetched(tmp_path / "file" / "cache", repo, lock)


def test_a_full_disk_says_so(
    cache: Path, repo: Repository, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "fetch_all", full)
    with pytest.raises(ArtifactError, match=r"no space is left .* set MESH_CACHE"):
        fetched(cache, repo, lock)


def test_an_archive_that_reaches_out_of_its_folder_is_refused(
    tmp_path: Path, cache: Path, repo: Repository
) -> None:
    lock = lock_of(tmp_path, {**CONTENTS, REGISTRY: archive(("../../../evil", b"x"))})
    for item in (*lock.jars, lock.registry):
        repo.files[f"/{item.path}"] = CONTENTS[item.coordinates]
    repo.files[f"/{lock.registry.path}"] = archive(("../../../evil", b"x"))
    with pytest.raises(ArtifactError, match="cannot be unpacked"):
        fetched(cache, repo, lock)
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "mirror", ["http://mirror.example/maven", "ftp://mirror.example", "/just/a/path"]
)
def test_a_mirror_is_reached_safely_or_not_at_all(mirror: str) -> None:
    with pytest.raises(ArtifactError, match="neither https"):
        repository(mirror)


def test_a_password_in_the_mirrors_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ArtifactError) as caught:
        repository("https://ada:geheim@mirror.example/maven")
    assert "geheim" not in str(caught.value)
