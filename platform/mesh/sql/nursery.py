"""The service's side of its workers: one is born, asked, and ended.

    with Nursery(command) as nursery:
        worker = nursery.worker(copies, limits)
        pieces = worker.ask(document)
        worker.end()

Not here: whose worker it is, and for how long it may run (`pool`).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict

from mesh.backbone.closing import Closing
from mesh.backbone.forking import ForkServer
from mesh.errors import MeshError, WrongUse
from mesh.sql.frames import DATA, END, ERROR, HEAD, document_of, read_frame, write_document
from mesh.sql.limits import Limits
from mesh.sql.promise import Broken
from mesh.sql.session import Copy

__all__ = ["Nursery", "Worker"]


class Worker:
    """One worker, used by one thread at a time; *end* may be called from any."""

    def __init__(
        self, server: ForkServer, pid: int, channel: socket.socket, copies: tuple[Copy, ...]
    ) -> None:
        self.pid, self.copies = pid, copies
        self._server, self._channel = server, channel
        self._lock = threading.Lock()
        self._status: int | None = None
        # Why we ended it, for whoever waits for its answer.
        self.reason = ""

    def ask(self, document: Mapping[str, object]) -> Generator[bytes, None, Mapping[str, int]]:
        """The answer to a query, in pieces, and in the end what it cost.

        Raises `WrongUse` with the reason where there is none, or no more of it.
        """
        try:
            write_document(self._channel.fileno(), DATA, document)
        except OSError as error:
            raise MeshError(self._why()) from error
        while True:
            frame = read_frame(self._channel.fileno())
            if frame is None:
                raise WrongUse(self._why())
            kind, data = frame
            if kind == END:
                return {name: int(str(each)) for name, each in document_of(data).items()}
            if kind == ERROR:
                said = document_of(data)
                raise (Broken if said.get("is_broken") else WrongUse)(str(said["reason"]))
            yield data

    def is_born(self) -> bool:
        """Whether it stands ready. Raises `MeshError` where it could not."""
        frame = read_frame(self._channel.fileno())
        if frame is not None and frame[0] == HEAD:
            return True
        reason = document_of(frame[1])["reason"] if frame else self._why()
        raise MeshError(str(reason))

    def is_there(self) -> bool:
        """Whether it still waits for a query: it says nothing unasked, so what comes is its end."""
        return not select.select([self._channel], [], [], 0)[0]

    def end(self, reason: str = "") -> int:
        """Kill it, if it still runs; how it ended."""
        with self._lock:
            if self._status is None:
                self.reason = reason
                self._status = self._server.end(self.pid)
                # Whoever reads from it sees its end.
                with suppress(OSError):
                    self._channel.shutdown(socket.SHUT_RDWR)
            return self._status

    def close(self) -> None:
        """End it, and let go of it; for the thread that asks it."""
        self.end()
        self._channel.close()

    def slow_down(self) -> None:
        """Let every other worker go first."""
        with self._lock:
            if self._status is None:
                os.setpriority(os.PRIO_PROCESS, self.pid, 19)

    def _why(self) -> str:
        """Why it ended before its answer did."""
        status = self.end()
        if self.reason:
            return self.reason
        if status == -signal.SIGXCPU:
            return "the query took more CPU time than a query may have: ask for less at once"
        return f"the query's worker died ({name_of(status)}), most likely for want of memory"


class Nursery(Closing):
    """Makes workers, forks of the program that *module* runs."""

    def __init__(self, module: str) -> None:
        # Nothing of our environment but where Python's modules are. Arrow's own allocator takes
        # a gigabyte of addresses, which would be the query's.
        path = os.pathsep.join(filter(None, sys.path))
        self._server = ForkServer(
            module, {"PYTHONPATH": path, "ARROW_DEFAULT_MEMORY_POOL": "system"}
        )

    def worker(self, copies: Sequence[Copy], limits: Limits) -> Worker:
        """A worker that stands ready to be asked. Raises `MeshError` where there can be none."""
        ours, theirs = socket.socketpair()
        try:
            described = [
                {**asdict(each), "path": str(each.path), "parquet": [*map(str, each.parquet)]}
                for each in copies
            ]
            allowed = {**asdict(limits), "without": sorted(limits.without)}
            asked = {"copies": described, "limits": allowed}
            pid = self._server.fork(asked, [theirs.fileno()])
        finally:
            theirs.close()
        worker = Worker(self._server, pid, ours, tuple(copies))
        try:
            worker.is_born()
        except MeshError:
            worker.close()
            raise
        return worker

    def close(self) -> None:
        """End every worker, and that of which they are made."""
        self._server.close()


def name_of(status: int) -> str:
    """A signal's name, or an exit code."""
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
