"""Whether a mesh runs in a state folder, told by its lock and not by a file's word."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

from mesh.control.supervisor import RUN_FILE
from mesh.errors import SettingsError
from mesh.home import Home

__all__ = ["LOCK", "Running", "find_running"]

LOCK = "mesh.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A running mesh: its supervisor's pid and what it last wrote of itself."""

    pid: int
    document: dict[str, object]


def find_running(home: Home) -> Running | None:
    """The mesh that holds *home*, or None; a killed supervisor's lock is gone with it."""
    try:
        descriptor = os.open(home.run / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(
            f"the state folder {home.path} cannot be read: {error.strerror}; "
            "be the user who made it, or set MESH_HOME to another folder"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode().strip()
        return Running(pid=int(text or 0), document=home.read_run(RUN_FILE) or {})
    finally:
        os.close(descriptor)
    return None
