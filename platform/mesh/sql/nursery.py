"""The service's side of its workers: one is born, asked, and ended.

    with Nursery(command) as nursery:
        worker = nursery.worker(copies, limits)
        pieces = worker.ask(document)
        worker.end()

Not here: whose worker it is, and for how long it may run (`pool`).
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Any

from mesh.errors import MeshError, WrongUse
from mesh.sql.frames import DATA, END, ERROR, HEAD, document_of, read_frame, write_document
from mesh.sql.limits import Limits
from mesh.sql.session import Copy
from mesh.sql.zygote import LONGEST

__all__ = ["Nursery", "Worker"]

BIRTH_S = 30.0


class Worker:
    """One worker, used by one thread at a time; *end* may be called from any."""

    def __init__(
        self, nursery: Nursery, pid: int, channel: socket.socket, copies: tuple[Copy, ...]
    ) -> None:
        self.pid, self.copies = pid, copies
        self._nursery, self._channel = nursery, channel
        self._lock = threading.Lock()
        self._status: int | None = None
        # Why we ended it, for whoever waits for its answer.
        self.reason = ""

    def ask(self, document: Mapping[str, object]) -> Iterator[bytes]:
        """The answer to a query, in pieces.

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
                return
            if kind == ERROR:
                raise WrongUse(str(document_of(data)["reason"]))
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
                self._status = self._nursery.end(self.pid)
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


class Nursery:
    """Keeps the zygote that *module* runs."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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
            pid = int(self._call(asked, [theirs.fileno()])["pid"])
        finally:
            theirs.close()
        worker = Worker(self, pid, ours, tuple(copies))
        try:
            worker.is_born()
        except MeshError:
            worker.close()
            raise
        return worker

    def end(self, pid: int) -> int:
        """End a worker; how it ended. One whose zygote has gone went with it."""
        try:
            return int(self._call({"end": pid}, [], is_new=False)["status"])
        except MeshError:
            return -signal.SIGKILL

    def close(self) -> None:
        """End the zygote, and every worker with it."""
        with self._lock:
            if self._process is not None and self._control is not None:
                self._control.close()
                self._process.kill()
                self._process.wait()
            self._process = self._control = None

    def _call(
        self, document: Mapping[str, object], files: Sequence[int], *, is_new: bool = True
    ) -> Mapping[str, Any]:
        """Ask the zygote, which is started where there is none and *is_new*."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if not is_new:
                    raise MeshError("the process of which workers are made has ended")
                self._start()
            assert self._control is not None  # noqa: S101 - started with the process
            try:
                socket.send_fds(self._control, [json.dumps(document).encode()], files)
                answer = self._control.recv(LONGEST)
            except OSError as error:
                raise MeshError(f"no worker can be made: {error}") from error
        if not answer:
            raise MeshError("the process of which workers are made has ended: try again")
        found: Mapping[str, Any] = json.loads(answer)
        return found

    def _start(self) -> None:
        """Start the zygote, with nothing of our environment but where Python's modules are."""
        if self._control is not None:
            self._control.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(BIRTH_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", self._module, str(theirs.fileno())],
                env={
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    # Arrow's own allocator takes a gigabyte of addresses, which would be the
                    # query's; and libraries start threads when imported, of which a fork has none.
                    "ARROW_DEFAULT_MEMORY_POOL": "system",
                    "JE_ARROW_MALLOC_CONF": "background_thread:false",
                    "OPENBLAS_NUM_THREADS": "1",
                },
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._control = ours


def name_of(status: int) -> str:
    """A signal's name, or an exit code."""
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
