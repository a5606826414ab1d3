"""Files from a Maven repository, several at once, each checked before it gets its name.

It does not know what is wanted or kept: `mesh.backbone.artifacts` does.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from mesh.errors import ArtifactError

__all__ = ["Download", "fetch_all", "repository"]

_THREADS = 8
_TRIES = 3
_TIMEOUT_S = 20
_CHUNK = 1 << 18
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Download:
    """A file at *path* of a repository that becomes *target* if size and SHA-256 fit."""

    path: str
    target: Path
    size: int
    sha256: str


def repository(mirror: str | None) -> str:
    """Return the address of *mirror*, or else of the repository that jgo takes by default.

    Raises ArtifactError unless it is https, a `file:` address, or http on this machine.
    """
    if mirror is None:
        from jgo.constants import MAVEN_CENTRAL_URL  # slow, and rarely needed

        return str(MAVEN_CENTRAL_URL)
    parts = urllib.parse.urlsplit(mirror)
    if parts.username is not None:
        raise ArtifactError("the mirror's address holds a user name, which is not supported")
    if parts.scheme in ("https", "file") or (
        parts.scheme == "http" and parts.hostname in _LOOPBACK
    ):
        return mirror.rstrip("/")
    raise ArtifactError("the mirror is neither https:, file: nor http: on this machine")


def fetch_all(
    address: str,
    downloads: Sequence[Download],
    temporary: Path,
    report: Callable[[str, int, int], None],
) -> None:
    """Fetch every file into *temporary*, check it, and rename it to its target.

    Raises ArtifactError with the first failure; OSError where the disk fails.
    """
    progress = _Progress(sum(each.size for each in downloads), report)
    with ThreadPoolExecutor(_THREADS) as pool:
        tasks = [pool.submit(_fetch, address, each, temporary, progress) for each in downloads]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:  # a Ctrl-C too: do not go on fetching what nobody waits for
            progress.stopped = True
            pool.shutdown(cancel_futures=True)
            raise


class _Progress:
    """Adds up the bytes of all threads."""

    def __init__(self, total: int, report: Callable[[str, int, int], None]) -> None:
        self.stopped = False
        self._total = total
        self._done = 0
        self._report = report
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self.stopped:
            raise ArtifactError("another file failed")
        with self._lock:
            self._done += count
            self._report("fetching Kafka and the registry", self._done, self._total)


def _fetch(address: str, download: Download, temporary: Path, progress: _Progress) -> None:
    draft = temporary / download.target.name
    for attempt in range(1, _TRIES + 1):
        try:
            _read(f"{address}/{download.path}", download, draft, progress)
            break
        except _NetworkError as error:
            if attempt == _TRIES or progress.stopped or not error.may_pass:
                raise ArtifactError(f"{download.target.name}: {error}") from error
            time.sleep(0.2 * attempt)
    download.target.parent.mkdir(parents=True, exist_ok=True)
    draft.replace(download.target)


def _read(url: str, download: Download, draft: Path, progress: _Progress) -> None:
    digest = hashlib.sha256()
    size = 0
    with _opened(url) as answer, draft.open("wb") as file:
        while size <= download.size and (chunk := _chunk(answer)):
            size += len(chunk)
            digest.update(chunk)
            file.write(chunk)
            progress.add(len(chunk))
    if size < download.size:
        progress.add(-size)
        raise _NetworkError(f"{size} of {download.size} bytes came", may_pass=True)
    if size > download.size or digest.hexdigest() != download.sha256:
        raise ArtifactError(
            f"{download.target.name} from the repository has another SHA-256 than the lock file"
        )


class _NetworkError(Exception):
    """The repository did not answer, said no, or broke off."""

    def __init__(self, reason: object, *, may_pass: bool) -> None:
        super().__init__(str(reason) or type(reason).__name__)
        self.may_pass = may_pass


def _opened(url: str) -> http.client.HTTPResponse:
    try:
        # S310: `repository` has let through https, file and loopback http only.
        answer: http.client.HTTPResponse = urllib.request.urlopen(url, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        busy = error.code >= 500 or error.code == 429
        raise _NetworkError(f"HTTP {error.code} {error.reason}", may_pass=busy) from error
    except urllib.error.URLError as error:
        final = isinstance(error.reason, ssl.SSLCertVerificationError | FileNotFoundError)
        raise _NetworkError(error.reason, may_pass=not final) from error
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(error, may_pass=True) from error
    return answer


def _chunk(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(error, may_pass=True) from error
