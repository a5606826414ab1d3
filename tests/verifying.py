"""Logs on disk behind the audit service's own door, without a broker, for tests of verification."""

from __future__ import annotations

from pathlib import Path

from mesh.audit.checkpoint import Checkpoint
from mesh.audit.findings import Findings
from mesh.audit.recount import Recount
from mesh.audit.store import Log
from mesh.drills.shelf import shelved
from mesh.home import Home
from tests.audit import NAME, columns, key_of

__all__ = ["KEY", "PATH", "filled", "recounted"]

KEY = key_of(NAME.mesh)
PATH = f"/logs/{NAME.path}"


def filled(folder: Path, count: int, begin: int = 0, **more: bool) -> Log:
    """The log in *folder*, with *count* more messages."""
    log = Log(folder, NAME, KEY)
    log.add(columns(count, begin, **more), needs_salt=False)
    return log


def recounted(log: Log, *kept: str):
    """Every finding of a log, and its pieces."""
    findings = Findings()
    checkpoint = Checkpoint.opened(log.note, KEY.log_key)
    remembered = [Checkpoint.opened(each, KEY.log_key) for each in kept]
    with shelved([log], KEY.log_key, Home.open(log.folder.parent / "home")) as source:
        pieces = [*Recount(source, PATH, checkpoint, remembered, findings).pieces()]
    return findings.found, pieces
