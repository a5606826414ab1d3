"""The process that workers are forked from: small, with one thread, and nothing of the mesh in it.

A fork of the service itself would carry its secrets, sockets and locks. Started with an empty
environment, this one has imported what a worker needs, so that a fork takes milliseconds.

    {"copies": […], "limits": {…}} with a descriptor  ->  {"pid": 4711}
    {"end": 4711}                                     ->  {"status": -9}, killed if it still ran
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from mesh.sql.limits import Limits
from mesh.sql.session import Copy
from mesh.sql.worker import Encode, work

__all__ = ["LONGEST", "serve"]

LONGEST = 1024 * 1024
PR_SET_PDEATHSIG = 1


def serve(control: socket.socket, encode: Encode) -> None:
    """Fork and end workers as *control* asks, until whoever holds its other end has gone."""
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(control, LONGEST, 1)
        if not message:
            return
        asked = json.loads(message)
        if "end" in asked:
            answer = {"status": end(asked["end"])}
        else:
            answer = {"pid": fork(control, files[0], asked, encode)}
            os.close(files[0])
        control.send(json.dumps(answer).encode())


def fork(control: socket.socket, channel: int, asked: dict[str, Any], encode: Encode) -> int:
    """Start a worker; its process id."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:
            control.close()
            copies = [copy_of(each) for each in asked["copies"]]
            limits = {**asked["limits"], "without": frozenset(asked["limits"]["without"])}
            work(channel, copies, Limits(**limits), encode)
    finally:
        # Without what the zygote would do at its own end.
        os._exit(0)


def copy_of(document: dict[str, Any]) -> Copy:
    """A copy as it was before it became JSON."""
    path, columns = Path(document["path"]), tuple(document["columns"])
    parquet = tuple(map(Path, document["parquet"]))
    return Copy(**{**document, "path": path, "columns": columns, "parquet": parquet})


def end(pid: int) -> int:
    """Kill a worker that still runs; how it ended, as `Popen.returncode` says it."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
