"""The state folder of one mesh: everything it keeps, removable as a whole.

version                   the format of this folder
public/                   what every process may read: the token issuer's public key
principals/NAME/secret    one secret a principal, mode 600
principals/NAME/mask-key  of a product that hashes: the key of the mesh, the same for all
access/                   the token issuer's private key, the secrets' verifiers, the mask key
audit/                    the change audit logs, and the key that signs them
sql/                      the SQL access point's tables, and copies of them for its workers
backbone/                 the embedded Kafka's and registry's data
products/ID/              a product's internal storage, opened by its process only
batch/ID/PORT/            a batch port by day: where files land, and what is published of them
feeds/PORT/               what an operational system has sent, and what it could not
legacy/                   the central warehouse that the mesh takes over from
run/                      locks and addresses of what runs now
logs/                     one log a service
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from mesh.errors import AlreadyRunning, SettingsError

__all__ = ["FORMAT", "Home", "locked", "write_private"]

# Raised whenever an older mesh could not use a folder that a newer one has written.
FORMAT = 1
LOCK_TRIES = 5
MASK_KEY = "mask-key"


class Home:
    """One state folder; paths only, except for secrets and the folder's own version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.public = path / "public"
        self.access = path / "access"
        self.backbone = path / "backbone"
        self.run = path / "run"
        self.logs = path / "logs"
        self.log = self.logs / "supervisor.log"

    @classmethod
    def open(cls, path: Path) -> Home:
        """Make or check the folder at *path*.

        Raises `SettingsError` where it cannot be written or belongs to a newer mesh.
        """
        home = cls.find(path)
        home.folder()
        if not (path / "version").exists():
            write_private(path / "version", f"{FORMAT}\n")
        for folder in (home.access, home.backbone, home.run, home.logs):
            home.folder(folder.name)
        home.folder(home.public.name, mode=0o755)
        return home

    @classmethod
    def find(cls, path: Path) -> Home:
        """The folder at *path* as it stands, perhaps absent: nothing is made.

        Raises `SettingsError` where it belongs to a newer mesh or cannot be read.
        """
        try:
            text = (path / "version").read_text(errors="replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            return cls(path)
        except OSError as error:
            raise SettingsError(
                f"the state folder {path} cannot be read: {error.strerror}; "
                "be the user who made it, or set MESH_HOME to another folder"
            ) from error
        if not text.isdecimal() or int(text) > FORMAT:
            raise SettingsError(
                f"{path} was written by a newer mesh (format {text[:20]!r}, this one knows "
                f"{FORMAT}): update the checkout, or set MESH_HOME to another folder"
            )
        return cls(path)

    def storage(self, product: str) -> Path:
        """Where a product's internal storage stands."""
        return self.folder("products", product) / "storage.duckdb"

    def by_day(self, product: str, port: str) -> Path:
        """Where the files of a batch port are that is published by day; perhaps absent."""
        return self.path / "batch" / product / port

    def feed(self, port: str) -> Path:
        """The folder of what was fed into an input port."""
        return self.folder("feeds", port)

    def folder(self, *names: str, mode: int = 0o700) -> Path:
        """A private folder below this one, made if absent, as are those between."""
        path = self.path.joinpath(*names)
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            # One by one, since `parents=True` would leave those between open to all.
            for depth in range(len(names)):
                self.path.joinpath(*names[: depth + 1]).mkdir(exist_ok=True, mode=mode)
        except OSError as error:
            raise cannot_write(path, error) from error
        return path

    def secret_path(self, principal: str) -> Path:
        """Where a principal's secret lies."""
        return self.path / "principals" / principal / "secret"

    def secret(self, principal: str) -> str:
        """The secret of *principal*; `SettingsError` if this folder has none."""
        try:
            return self.secret_path(principal).read_text().strip()
        except FileNotFoundError as error:
            raise SettingsError(
                f"there is no principal {principal!r} in {self.path}: {self._who_is_there()}"
            ) from error
        except OSError as error:
            raise SettingsError(f"the secret of {principal!r} cannot be read: {error}") from error

    def _who_is_there(self) -> str:
        """What to do where a principal is not known."""
        names = sorted(each.name for each in (self.path / "principals").glob("*"))
        if names:
            return f"there are {', '.join(names)}"
        return "`mesh up` makes one for each product, system and person of the project"

    def make_secret(self, principal: str) -> str:
        """The secret of *principal*, made with 256 random bits if it has none."""
        path = self.secret_path(principal)
        if not path.exists():
            self.folder("principals", principal)
            write_private(path, secrets.token_urlsafe(32) + "\n")
        return self.secret(principal)

    def mask_key(self, product: str) -> bytes:
        """The key by which *product* hashes; `SettingsError` if this folder has none."""
        path = self.secret_path(product).with_name(MASK_KEY)
        try:
            return path.read_text().strip().encode()
        except OSError as error:
            raise SettingsError(
                f"{product} hashes personal fields, and there is no key in {path}: `mesh up` makes "
                "it; where the mesh is elsewhere, bring that of its state folder along"
            ) from error

    def make_mask_key(self, products: Iterable[str]) -> None:
        """Give each of *products* the one key of the mesh, made with 256 random bits."""
        path = self.access / MASK_KEY
        for product in products:
            if not path.exists():
                write_private(path, secrets.token_urlsafe(32) + "\n")
            self.folder("principals", product)
            write_private(self.secret_path(product).with_name(MASK_KEY), path.read_text())

    def write_run(self, name: str, document: Mapping[str, object]) -> None:
        """Replace a JSON document in `run/` at once, so that a reader never sees half of it."""
        write_private(self.run / name, json.dumps(document, indent=1))

    def read_run(self, name: str) -> dict[str, object] | None:
        """A JSON document in `run/`, or None."""
        try:
            document = json.loads((self.run / name).read_text())
        except (OSError, ValueError):
            return None
        return document if isinstance(document, dict) else None

    def address(self, service: str) -> str | None:
        """Where a service of ours listens now.

        None where its process has ended, whatever it left behind: a secret must not go to
        whoever took its port since.
        """
        document = self.read_run(f"{service}.json") or {}
        pid, address = document.get("pid"), document.get("address")
        try:
            is_alive = psutil.Process(int(str(pid))).status() != psutil.STATUS_ZOMBIE
        except (ValueError, psutil.Error):
            return None
        return str(address) if is_alive and address is not None else None


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 600 by a new name and a rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextmanager
def locked(path: Path, who: str) -> Iterator[None]:
    """Hold an exclusive lock on *path*; `AlreadyRunning` names *who* and the holder's pid."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        lock(descriptor, who)
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            raise cannot_write(path, error) from error
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int, who: str) -> None:
    """Take the lock, or raise `AlreadyRunning`.

    Tried for a moment: whoever only asks whether it is held holds it that long.
    """
    for attempt in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if attempt == LOCK_TRIES - 1:
                holder = os.pread(descriptor, 32, 0).decode().strip() or "unknown"
                raise AlreadyRunning(f"{who} already runs (pid {holder})") from error
            time.sleep(0.05)
        else:
            return


def cannot_write(path: Path, error: OSError) -> SettingsError:
    """The error for a folder that is read-only, full, or not a folder."""
    return SettingsError(
        f"the state folder cannot be written at {path}: {error.strerror or error}; "
        "make room or make it writable, or set MESH_HOME to another folder"
    )
