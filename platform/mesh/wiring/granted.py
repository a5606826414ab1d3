"""Follows what owners say of who may read, for a door: beside the files, and newer than they.

Kafka being away, what was read last counts, and a grant ends by the clock all the same. Not here:
who writes it (`access`), and Kafka's own rights (`joining`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.contract.access import GRANT_SCHEMA, GRANTS_TOPIC, Access, accesses, decisions
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.errors import Unreachable
from mesh.wiring.accepted import Following

__all__ = ["Clock", "Granted", "following_grants", "granting"]

LOOK_S = 0.2
REST_S = 1.0
# A door that has just been opened knows it in this time; so long it lets a reader wait.
PATIENCE_S = 5.0
Log = Callable[[str], None]


class Clock:
    """The time now, which never goes back: what was over stays over."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time now, or the latest that was told."""
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest


class Granted:
    """Who may read what of the project of *files* now. One thread takes records, any may ask."""

    def __init__(self, files: Project, now: Callable[[], datetime] | None = None) -> None:
        self.files, self._now = files, now or Clock()
        # Replaced as a whole, so that nobody sees half of a change.
        self._state: tuple[Project, dict[str, frozenset[str]]] | None = None
        self.acts: Mapping[str, Access] = {}
        self.next_offset = 0
        self._news = threading.Condition()

    @property
    def project(self) -> Project:
        """The project with what its owners have said."""
        return self._known()[0]

    def readers_of(self, contract: Contract) -> frozenset[str]:
        """Who may read a port. Raises `Unreachable` while that was not read from Kafka yet."""
        project, readers = self._known()
        if contract.id not in readers:
            readers[contract.id] = frozenset(project.readers_of(contract))
        return readers[contract.id]

    def direct_readers_of(self, contract: Contract) -> frozenset[str]:
        """Who may read a port as it is: not those who ask named queries alone."""
        return self.readers_of(contract) - self.files.limited

    def take(self, acts: Mapping[str, Access], next_offset: int = 0) -> None:
        """Take over all *acts* there are, as they stand now."""
        decided = decisions(acts.values(), self._now())
        with self._news:
            self.acts, self.next_offset = acts, next_offset
            if self._state is None or self._state[0].decided != decided:
                self._state = (replace(self.files, decided=decided), {})
            self._news.notify_all()

    def look_at_the_clock(self) -> None:
        """End what is over, where nothing is heard."""
        if self._state is not None:
            self.take(self.acts, self.next_offset)

    def wait_for(self, offset: int) -> None:
        """Return once the message at *offset* was taken. Raises `Unreachable` if it is not."""
        with self._news:
            if not self._news.wait_for(lambda: self.next_offset > offset, PATIENCE_S):
                raise Unreachable("Kafka has what was said, and does not hand it out: look again")

    def _known(self) -> tuple[Project, dict[str, frozenset[str]]]:
        state = self._state
        if state is None:
            with self._news:
                self._news.wait_for(lambda: self._state is not None, PATIENCE_S)
                state = self._state
        if state is None:
            raise Unreachable("Kafka does not say who may read: try again when it is there")
        return state


def following_grants(endpoint: Endpoint, principal: Principal, log: Log) -> Following:
    """The topic of who may read, as *principal* reads it."""
    return Following(endpoint, principal, GRANTS_TOPIC, log, GRANT_SCHEMA)


@contextmanager
def granting(
    project: Project, endpoint: Endpoint, principal: Principal, log: Log
) -> Iterator[Granted]:
    """Who may read what, kept up to date for the time of a block."""
    found, stop = Granted(project), threading.Event()

    def follow() -> None:
        said = ""
        with following_grants(endpoint, principal, log) as following:
            while not stop.is_set():
                try:
                    records = following.look(LOOK_S)
                    if records is not None:
                        found.take(accesses(records), following.next_offset)
                    said = ""
                except Exception as error:  # whatever it is, the next look is taken
                    if said != (said := str(error)):
                        log(f"who may read is not heard of: {error!r}")
                    found.look_at_the_clock()
                    stop.wait(REST_S)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
