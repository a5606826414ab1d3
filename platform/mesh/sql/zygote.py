"""The process that workers are forked from: small, and nothing of the mesh in it.

Started with an empty environment, it has imported what a worker needs, so that a fork takes
milliseconds.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from mesh.backbone.forking import serve
from mesh.sql.limits import Limits
from mesh.sql.session import Copy
from mesh.sql.worker import Encode, work

__all__ = ["serve_workers"]


def serve_workers(control: socket.socket, encode: Encode) -> None:
    """Fork workers as *control* asks, until whoever holds its other end has gone."""
    asked, (channel,) = serve(control)
    try:
        copies = [copy_of(each) for each in asked["copies"]]
        limits = {**asked["limits"], "without": frozenset(asked["limits"]["without"])}
        work(channel, copies, Limits(**limits), encode)
    finally:
        # Without what Python does at its own end.
        os._exit(0)


def copy_of(document: dict[str, Any]) -> Copy:
    """A copy as it was before it became JSON."""
    path, columns = Path(document["path"]), tuple(document["columns"])
    parquet = tuple(map(Path, document["parquet"]))
    return Copy(**{**document, "path": path, "columns": columns, "parquet": parquet})
