"""Whose turn it is: one query a principal at a time, each on a worker of that principal's own.

    with pool.turn(Run(id="a", principal="ada")) as run:
        pieces = pool.ask(run, copies, document)

A worker is kept for the same principal's next query while its copies are the newest. Not here:
who may ask what (`desk`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from mesh.errors import MeshError, WrongUse
from mesh.sql.limits import Limits
from mesh.sql.nursery import Nursery, Worker
from mesh.sql.session import Copy

__all__ = ["Pool", "Run"]

# So many queries run at once: each may take the memory that `Limits` says.
MOST_RUNNING = 8
# So many of one principal wait for their turn, and so long.
MOST_WAITING = 16
PATIENCE_S = 60.0
MOST_IDLE = 8
LOOK_S = 0.1
# Whoever computes longer lets everybody else go first.
SHORT_S = 1.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One query on its way. *reason* says why it was stopped; *cost* is known at its end."""

    id: str
    principal: str
    worker: Worker | None = None
    begun_at: float = 0.0
    is_slow: bool = False
    is_whole: bool = False
    reason: str = ""
    cost: Mapping[str, int] = field(default_factory=dict)


class Pool:
    """The workers of *nursery*, each held to *limits*."""

    def __init__(self, nursery: Nursery, limits: Limits) -> None:
        self._nursery, self._limits = nursery, limits
        self._turns = threading.Condition()
        self._runs: list[Run] = []
        self._running: dict[str, Run] = {}
        self._idle: dict[str, Worker] = {}
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def running(self) -> int:
        """How many queries run."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many queries wait for their turn."""
        return len(self._runs) - len(self._running)

    @contextmanager
    def turn(self, run: Run) -> Iterator[Run]:
        """Wait for the turn of *run*, and have it.

        Raises `MeshError` where too many wait, `WrongUse` where it was stopped meanwhile.
        """
        with self._turns:
            own = [each for each in self._runs if each.principal == run.principal]
            if len(own) > MOST_WAITING:
                raise MeshError(f"{len(own)} queries of {run.principal} wait: try again later")
            self._runs.append(run)
            try:
                if not self._turns.wait_for(lambda: self._may_run(run), PATIENCE_S):
                    raise MeshError(f"{self.running} queries run already: try again later")
                if run.reason:
                    raise WrongUse(run.reason)
                self._running[run.principal] = run
            except BaseException:
                self._runs.remove(run)
                raise
        try:
            yield run
        finally:
            self._release(run)

    def ask(
        self, run: Run, copies: Sequence[Copy], document: Mapping[str, object]
    ) -> Iterator[bytes]:
        """The answer to a query that has its turn. Raises `WrongUse` where there is none."""
        run.worker = self._worker(run.principal, copies)
        run.begun_at = time.monotonic()
        # Whoever stopped it before found no worker to end.
        if run.reason:
            raise WrongUse(run.reason)
        run.cost = yield from run.worker.ask(document)
        run.is_whole = True

    def stop(self, principal: str, id_: str | None = None, reason: str = "it was cancelled") -> int:
        """Stop the query *id_* of a principal, or all that it has; how many there were."""
        with self._turns:
            found = [
                each
                for each in self._runs
                if each.principal == principal and id_ in (None, each.id)
            ]
            idle = self._idle.pop(principal, None) if id_ is None else None
            for run in found:
                run.reason = reason
                if run.worker is not None:
                    run.worker.end(reason)
            self._turns.notify_all()
        if idle is not None:
            idle.close()
        return len(found)

    def close(self) -> None:
        """End every worker that waits for a query; those that run end with the nursery."""
        self._closed.set()
        with self._turns:
            idle, self._idle = self._idle, {}
        for each in idle.values():
            each.close()

    def _may_run(self, run: Run) -> bool:
        is_free = run.principal not in self._running and len(self._running) < MOST_RUNNING
        return is_free or bool(run.reason)

    def _worker(self, principal: str, copies: Sequence[Copy]) -> Worker:
        """The principal's worker, a new one where there is none with these copies."""
        with self._turns:
            worker = self._idle.pop(principal, None)
        if worker is not None and worker.copies == tuple(copies) and worker.is_there():
            return worker
        if worker is not None:
            worker.close()
        return self._nursery.worker(copies, self._limits)

    def _release(self, run: Run) -> None:
        """Give the turn back, and keep the worker for the next one if it is as good as new."""
        dropped = [] if run.worker is None else [run.worker]
        with self._turns:
            self._runs.remove(run)
            del self._running[run.principal]
            is_good = run.is_whole and not run.is_slow and not run.reason
            if run.worker is not None and is_good and not self._closed.is_set():
                self._idle[run.principal] = run.worker
                oldest = list(self._idle)[:-MOST_IDLE]
                dropped = [self._idle.pop(each) for each in oldest]
            self._turns.notify_all()
        for each in dropped:
            each.close()

    def _watch(self) -> None:
        """Slow down what takes long, and end what takes too long, its reader's time included."""
        while not self._closed.wait(LOOK_S):
            for run in list(self._running.values()):
                worker, spent = run.worker, time.monotonic() - run.begun_at
                if worker is None or not run.begun_at:
                    continue
                if self._limits.has("clock") and spent > self._limits.clock_s:
                    run.reason = f"the query took longer than {self._limits.clock_s:.0f} s"
                    worker.end(run.reason)
                elif spent > SHORT_S and not run.is_slow:
                    run.is_slow = True
                    worker.slow_down()
