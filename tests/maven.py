"""A Maven repository on this machine, with three tiny files, that can misbehave."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from mesh.backbone.artifacts import Artifacts, install
from mesh.backbone.lockfile import Lock, read_lock

REGISTRY = "io.example:registry:3:tar.gz:all"


def archive(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def lock_of(folder: Path, contents: dict[str, bytes]) -> Lock:
    entries = [
        {"gav": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    path = folder / "jars.lock.json"
    path.write_text(
        json.dumps(
            {
                "kafka": [each for each in entries if each["gav"] != REGISTRY],
                "apicurio": [each for each in entries if each["gav"] == REGISTRY],
            }
        )
    )
    return read_lock(path)


@dataclass
class Repository:
    """A repository of Maven's layout that counts what it is asked for, and can misbehave."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    half: set[str] = field(default_factory=set)
    busy: int = 0
    slow_s: float = 0.0


def handler(repository: Repository) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            repository.asked.append(self.path)
            if repository.busy:
                repository.busy -= 1
                self.send_error(503)
                return
            content = repository.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.path in repository.half:
                content = content[: len(content) // 2]
            self.wfile.write(content[:1])
            self.wfile.flush()
            time.sleep(repository.slow_s)
            self.wfile.write(content[1:])

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[Repository]:
    """A repository that answers."""
    repository = Repository()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(repository)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        repository.address = f"http://127.0.0.1:{server.server_port}"
        yield repository
        server.shutdown()
        thread.join()


CONTENTS = {
    "org.example:one:1.0": b"one " * 1000,
    "org.example.deep:two:2.1": b"two " * 2000,
    REGISTRY: archive(("lib/main/a.jar", b"a" * 100), ("quarkus/run.jar", b"run")),
}


def filled(folder: Path, repository: Repository) -> Lock:
    """Put `CONTENTS` into the repository, and the lock file that names them into *folder*."""
    lock = lock_of(folder, CONTENTS)
    for item in (*lock.jars, lock.registry):
        repository.files[f"/{item.path}"] = CONTENTS[item.coordinates]
    return lock


class Reports:
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.said.append((what, done, total))

    @property
    def text(self) -> str:
        return "\n".join(what for what, _, _ in self.said)


def fetched(cache: Path, repo: Repository, lock: Lock) -> Artifacts:
    return install(cache, repo.address, Reports(), lock=lock)


def names(asked: list[str]) -> list[str]:
    return sorted(Path(path).name for path in asked)


INSTALL = """
import sys
from pathlib import Path
from mesh.backbone.artifacts import install
from mesh.backbone.lockfile import read_lock
cache, mirror, lock = sys.argv[1:]
install(Path(cache), mirror, lambda *_: None, lock=read_lock(Path(lock)))
"""


def installer(cache: Path, repo: Repository) -> subprocess.Popen[bytes]:
    lock = cache.parent / "jars.lock.json"
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, str(cache), repo.address, str(lock)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
