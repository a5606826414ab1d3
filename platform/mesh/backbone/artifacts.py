"""The jars of Kafka and the registry's archive: fetched once, checked always.

Coordinates, sizes and SHA-256 sums stand in `jars.lock.json`; what differs from it is never run.

    artifacts = install(Path.home() / ".cache" / "mesh", None, print)

A later start compares each file's size and time with what was noted when its sum had been
checked, so that it reads no 200 MB; a file that differs is checked again, and fetched if it fails.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mesh.backbone.download import Download, fetch_all, repository
from mesh.backbone.lockfile import Item, Lock, read_lock
from mesh.errors import ArtifactError

__all__ = ["Artifacts", "Report", "install"]

Report = Callable[[str, int, int], None]
"""What is being done, the bytes done, the bytes in all; called by one thread at a time."""

_Marks = dict[str, list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """What an embedded backbone is made of; *digest* names this set of files."""

    jars: tuple[Path, ...]
    registry_home: Path
    digest: str


def install(
    cache: Path,
    mirror: str | None,
    report: Report,
    offline: bool = False,
    lock: Lock | None = None,
) -> Artifacts:
    """Return the files of *lock*, fetching what *cache* lacks from *mirror* or Maven's default.

    Several processes may do so at once. Raises ArtifactError, saying what is missing and what
    to do, where a file cannot be had or the cache cannot be written.
    """
    store = _Store(cache.absolute(), lock or read_lock())
    if store.is_complete():
        return store.artifacts()
    try:
        with store.locked(report):
            store.complete(mirror, report, offline)
    except OSError as error:
        raise _explained(error, store) from error
    return store.artifacts()


class _Store:
    """The part of a cache folder that one lock file describes."""

    def __init__(self, cache: Path, lock: Lock) -> None:
        self.cache = cache
        self.lock = lock
        self.maven = cache / "maven"
        self.registry = cache / "registry" / lock.registry.sha256[:16]
        self.marks = cache / f"installed-{lock.digest}.json"
        self.temporary = cache / "tmp"

    def artifacts(self) -> Artifacts:
        jars = tuple(self.maven / item.path for item in self.lock.jars)
        return Artifacts(jars=jars, registry_home=self.registry, digest=self.lock.digest)

    def is_complete(self) -> bool:
        """Say whether every file still is what was checked, by size and time."""
        marks = self._read_marks()
        wanted = {str(Path("maven") / item.path) for item in self.lock.jars}
        unpacked = any(name.startswith("registry/") for name in marks)
        return wanted <= marks.keys() and unpacked and marks == self._measured(marks)

    def complete(self, mirror: str | None, report: Report, offline: bool) -> None:
        """Check, fetch and unpack what is not known to be good."""
        marks = self._read_marks()
        shutil.rmtree(self.temporary, ignore_errors=True)  # of an installer that was killed
        missing = [item for item in self.lock.jars if not self._is_good(item, marks, report)]
        registry_is_good = self._registry_is_good(marks, report)
        if not registry_is_good and not self._archive_is_good():
            missing.insert(0, self.lock.registry)
        if missing:
            self._fetch(missing, mirror, report, offline)
        if not registry_is_good:
            report("unpacking the registry", self.lock.registry.size, self.lock.registry.size)
            self._unpack()
        self._write_marks()

    @contextmanager
    def locked(self, report: Report) -> Iterator[None]:
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "install.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                report("waiting for another installer", 0, 0)
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _fetch(self, items: list[Item], mirror: str | None, report: Report, offline: bool) -> None:
        if offline:
            raise ArtifactError(_missing(items, self.cache, "and offline was asked for"))
        self.temporary.mkdir(parents=True, exist_ok=True)
        downloads = [
            Download(item.path, self.maven / item.path, item.size, item.sha256) for item in items
        ]
        try:
            fetch_all(repository(mirror), downloads, self.temporary, report)
        except ArtifactError as error:
            raise ArtifactError(_missing(items, self.cache, str(error))) from error

    def _is_good(self, item: Item, marks: _Marks, report: Report) -> bool:
        path = self.maven / item.path
        name = str(path.relative_to(self.cache))
        if not path.exists():
            return False
        if name in marks and marks[name] == _mark(path):
            return True
        good = path.stat().st_size == item.size and _sha256(path) == item.sha256
        if not good:
            report(f"{path.name} in the cache is damaged: fetching it again", 0, item.size)
        return good

    def _archive_is_good(self) -> bool:
        item = self.lock.registry
        archive = self.maven / item.path
        return archive.exists() and _sha256(archive) == item.sha256

    def _registry_is_good(self, marks: _Marks, report: Report) -> bool:
        noted = {name: mark for name, mark in marks.items() if name.startswith("registry/")}
        if noted and noted == self._measured(noted):
            return True
        if self.registry.exists():
            report("the registry in the cache is damaged: unpacking it again", 0, 0)
        return False

    def _unpack(self) -> None:
        archive = self.maven / self.lock.registry.path
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.registry.parent.mkdir(parents=True, exist_ok=True)
        target = Path(tempfile.mkdtemp(dir=self.temporary))
        try:
            with tarfile.open(archive) as tar:
                unpack(tar, target)
        except tarfile.TarError as error:
            raise ArtifactError(f"{archive} cannot be unpacked: {error}") from error
        shutil.rmtree(self.registry, ignore_errors=True)
        target.rename(self.registry)
        archive.unlink()  # 160 MB that nothing needs any more

    def _read_marks(self) -> _Marks:
        try:
            marks: _Marks = json.loads(self.marks.read_text())
        except (OSError, ValueError):
            return {}
        return marks

    def _measured(self, names: _Marks) -> _Marks:
        return {name: _mark(self.cache / name) for name in names}

    def _write_marks(self) -> None:
        files = [self.maven / item.path for item in self.lock.jars]
        files += [path for path in sorted(self.registry.rglob("*")) if path.is_file()]
        marks = {str(path.relative_to(self.cache)): _mark(path) for path in files}
        draft = self.marks.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(marks))
        draft.replace(self.marks)


def _mark(path: Path) -> list[int]:
    with suppress(OSError):
        status = path.stat()
        return [status.st_size, status.st_mtime_ns]
    return []


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _missing(items: list[Item], cache: Path, why: str) -> str:
    names = ", ".join(item.coordinates for item in items[:3])
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return (
        f"{names}{more} not in {cache}: {why}; set MESH_MAVEN_MIRROR to a Maven repository that "
        "you can reach, or run once with a network"
    )


def _explained(error: OSError, store: _Store) -> ArtifactError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ArtifactError(
            f"no space is left for the jars in {store.cache} (about 600 MB while installing): "
            "free some, or set MESH_CACHE to another folder"
        )
    return ArtifactError(
        f"{store.cache} cannot be written ({error.strerror}): set MESH_CACHE to another folder"
    )


def unpack(tar: tarfile.TarFile, target: Path) -> None:
    """Unpack files and folders that stay inside *target*, and nothing else (PEP 706)."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
        return
    # Python 3.11 before 3.11.4, as Debian 12 has it, knows no filter.
    for member in tar:
        place = (target / member.name).resolve()
        if not (member.isfile() or member.isdir()) or not place.is_relative_to(target.resolve()):
            raise tarfile.TarError(f"{member.name} is no plain file of the archive")
        tar.extract(member, target)
