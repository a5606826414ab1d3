"""A program that others are forked from: what it has imported, each of them has at once.

    server = ForkServer("mesh.wiring.sql_zygote", {"PYTHONPATH": …})
    pid = server.fork({"any": "thing"}, [descriptor])

The program, which has one thread, calls `serve`; that returns in each fork, with what it is to
be. A fork of a process that works would carry its secrets, sockets and locks. All of them die
with whoever started the server. Linux alone: elsewhere, libraries do not bear to be forked.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from mesh.backbone.closing import Closing
from mesh.errors import MeshError

__all__ = ["ForkServer", "serve"]

LONGEST = 1024 * 1024
PR_SET_PDEATHSIG = 1
# How long the program may import.
BIRTH_S = 30.0


class ForkServer(Closing):
    """Keeps the program that *module* runs, in *environment*; from any thread.

    What the program imports may start threads, of which a fork would have none: so libraries are
    told to start none.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._environment = {
            **environment,
            "JE_ARROW_MALLOC_CONF": "background_thread:false",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the program, where it does not run; it imports while we do other things."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()

    def fork(self, document: Mapping[str, object], files: Sequence[int]) -> int:
        """A fork that is to be *document* and has *files*; its process id. Raises `MeshError`."""
        self.start()
        return int(self._call({"fork": document}, files)["pid"])

    def status(self, pid: int) -> int | None:
        """How a fork ended, as `Popen.returncode` says it, or None while it runs; ask until then.

        One whose program has gone went with it.
        """
        return self._status({"status": pid})

    def end(self, pid: int) -> int:
        """Kill a fork, if it still runs; how it ended."""
        status = self._status({"end": pid})
        return -signal.SIGKILL if status is None else status

    def close(self) -> None:
        """End the program, and every fork with it."""
        with self._lock:
            if self._process is not None and self._control is not None:
                self._control.close()
                self._process.kill()
                self._process.wait()
            self._process = self._control = None

    def _status(self, asked: Mapping[str, object]) -> int | None:
        try:
            found = self._call(asked, [])["status"]
        except MeshError:
            return -signal.SIGKILL
        return None if found is None else int(found)

    def _call(self, document: Mapping[str, object], files: Sequence[int]) -> Mapping[str, Any]:
        with self._lock:
            if self._control is None:
                raise MeshError("the program that is forked does not run")
            try:
                socket.send_fds(self._control, [json.dumps(document).encode()], files)
                answer = self._control.recv(LONGEST)
            except OSError as error:
                raise MeshError(f"nothing can be forked: {error}") from error
        if not answer:
            raise MeshError("the program that is forked has ended: try again")
        found: Mapping[str, Any] = json.loads(answer)
        return found

    def _start(self) -> None:
        """Start the program; it ends when our end of the socket has gone, and we with it."""
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(BIRTH_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(theirs.fileno())],
                env=self._environment,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours


def serve(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Fork as *control* asks; returns in each fork, with its document and descriptors.

    Ends the process when whoever holds the other end has gone.
    """
    gc.freeze()
    while True:
        message, files, _, _ = socket.recv_fds(control, LONGEST, 8)
        if not message:
            sys.exit(0)
        asked = json.loads(message)
        if "fork" in asked:
            parent, pid = os.getpid(), os.fork()
            if not pid:
                die_with(parent)
                control.close()
                return asked["fork"], files
            answer: dict[str, object] = {"pid": pid}
            for each in files:
                os.close(each)
        else:
            answer = {"status": ended(asked["end"]) if "end" in asked else status(asked["status"])}
        control.send(json.dumps(answer).encode())


def die_with(parent: int) -> None:
    """Have the kernel end this process when *parent* ends, which it may have done already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def status(pid: int) -> int | None:
    """How a fork ended, or None."""
    found, code = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(code) if found else None


def ended(pid: int) -> int:
    """Kill a fork; how it ended."""
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
