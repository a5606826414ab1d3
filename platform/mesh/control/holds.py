"""A hold: one service is stopped, and not started again while somebody works on what it keeps.

It is a lock in `run/`, so it ends with the process that has it, however that ends. Not here:
the supervisor, which obeys it, and what is done meanwhile.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from mesh.home import Home, locked

__all__ = ["held_by", "hold"]


@contextmanager
def hold(home: Home, service: str) -> Iterator[None]:
    """Hold *service* for the time of a block. Raises `AlreadyRunning` where another does."""
    with locked(home.run / file_of(service), f"another command that holds {service}"):
        yield


def held_by(home: Home, service: str) -> str | None:
    """Who holds *service*, a pid as text; or None."""
    try:
        descriptor = os.open(home.run / file_of(service), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 32, 0).decode().strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def file_of(service: str) -> str:
    """The name of the lock in `run/`."""
    return f"{service}.hold"
