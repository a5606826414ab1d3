"""One owner for a folder, known by its process id.

The servers hold the lock's descriptor too (`Command.holds`), so a folder is free only when they
have ended, even if the process that started them was killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import psutil

from mesh.errors import AlreadyRunning
from mesh.home import cannot_write

__all__ = ["FolderLock"]

# Killed with their parent, JVMs need a moment to give back their memory.
_PATIENCE_S = 3.0


class FolderLock:
    """An exclusive lock on a folder, held while its descriptor is open anywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open descriptor, for children to hold; only while acquired."""
        if self._descriptor is None:
            raise AlreadyRunning(f"the lock on {self._folder} is not held")
        return self._descriptor

    def acquire(self) -> None:
        """Take the lock; raises AlreadyRunning naming the holder, SettingsError."""
        if self._descriptor is not None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        try:
            self._wait_for(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait_for(self, descriptor: int) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                if _is_alive(holder) or time.monotonic() > end:
                    raise AlreadyRunning(
                        f"the backbone in {self._folder} is run by process {holder or 'unknown'}: "
                        "stop it (`mesh down`), or set MESH_HOME to another folder"
                    ) from None
                time.sleep(0.05)
            else:
                return


def _is_alive(holder: str) -> bool:
    try:
        return psutil.Process(int(holder)).status() != psutil.STATUS_ZOMBIE
    except (ValueError, psutil.Error):
        return False
