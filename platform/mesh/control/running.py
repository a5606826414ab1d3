"""What runs in a state folder: a mesh, told by its lock and not by a file's word, and standbys."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from mesh.control.supervisor import RUN_FILE
from mesh.errors import SettingsError
from mesh.home import Home

__all__ = ["LOCK", "Running", "find_running", "find_standbys", "standby_file"]

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


def standby_file(product: str, pid: int) -> str:
    """The name in `run/` under which a standby says that it waits."""
    return f"{product}.standby-{pid}.json"


def find_standbys(home: Home) -> Iterator[dict[str, object]]:
    """The processes that wait for another's storage, as services of `mesh status`."""
    for path in sorted(home.run.glob("*.standby-*.json")):
        mark = home.read_run(path.name) or {}
        pid = mark.get("pid")
        if isinstance(pid, int) and psutil.pid_exists(pid):
            yield {
                "name": mark.get("name"),
                "kind": "standby",
                "state": "standby",
                "address": None,
                "pid": pid,
                "restarts": 0,
                "reason": f"waits since {mark.get('since')}",
            }
