"""The one desk where access is asked for, granted and revoked: who may do what, one act at a time.

It writes to the topic alone and believes what it reads back. Not here: HTTP (`access`), what an
act makes of a state (`mesh.contract.access`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from mesh.contract.access import (
    Access,
    asked,
    copies_of,
    ended,
    expired,
    granted,
    initial,
    require_owner,
)
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.errors import Refused, WrongUse

__all__ = ["Book", "GrantDesk"]


class Book(Protocol):
    """What was said until now."""

    @property
    def acts(self) -> Mapping[str, Access]:
        """The last act of each access."""
        ...

    @property
    def project(self) -> Project:
        """The project, with what its owners have decided. Raises until that is known."""
        ...


class GrantDesk:
    """Takes acts. *write* returns once *book* has what was written; *known* are all principals."""

    def __init__(
        self,
        book: Book,
        write: Callable[[Access], None],
        known: Callable[[], Collection[str]],
        now: Callable[[], datetime],
    ) -> None:
        self._book, self._write, self._known, self._now = book, write, known, now
        self._lock = threading.Lock()

    def every(self) -> list[Access]:
        """Each access, by acts or else by files, as it stands now."""
        project = self._book.project
        found = {each.key: each for each in initial(project)} | dict(self._book.acts)
        return [found[key] for key in sorted(found)]

    def request(self, principal: str, port: str, purpose: str) -> Access:
        """Ask for *port*. Raises `WrongUse` where there is none, or it is granted already."""
        with self._lock:
            contract = self._port(port)
            if principal == contract.product:
                raise WrongUse(f"{port} is a port of {principal} itself")
            current = self._current(port, principal)
            return self._said(asked(current, contract, principal, purpose, self._now()))

    def grant(self, given: Access) -> Access:
        """Grant what *given* says, by whom it says. Raises `Refused` for who does not own it."""
        with self._lock:
            require_owner(self._book.project, self._port(given.port), given.by)
            if given.principal not in self._known():
                raise WrongUse(f"there is no principal {given.principal}")
            current = self._current(given.port, given.principal)
            return self._said(granted(current, given, self._now()))

    def revoke(
        self, by: str, port: str, principal: str, reason: str
    ) -> tuple[Access, tuple[str, ...]]:
        """End an access, and name the products that may hold copies; one may end one's own.

        Raises `Refused` for who neither owns the port nor has the access.
        """
        with self._lock:
            project = self._book.project
            contract = self._port(port)
            if by != principal:
                require_owner(project, contract, by)
            current = self._current(port, principal)
            done = self._said(ended(current, by, reason, self._now()))
            return done, copies_of(project, port, self._book.acts.values())

    def expire(self) -> None:
        """Write down the end of every grant whose time is over."""
        with self._lock:
            for each in [*expired(self._book.acts.values(), self._now())]:
                self._said(each)

    def _current(self, port: str, principal: str) -> Access | None:
        """The access as it stands: by its last act, or else by the files."""
        key = f"{port}/{principal}"
        if key in self._book.acts:
            return self._book.acts[key]
        return next((each for each in initial(self._book.project) if each.key == key), None)

    def _port(self, port: str) -> Contract:
        """The contract of an output port, or of commands. Raises `Refused` for any other name."""
        project = self._book.project
        for product in project.products.values():
            for each in product.outputs:
                if each.contract.id == port:
                    return each.contract
            if any(each.contract_id == port and each.is_own for each in product.inputs):
                return project.contract(port)
        raise Refused(f"there is no output port {port[:80]}: see `mesh catalogue list`")

    def _said(self, act: Access) -> Access:
        self._write(act)
        return act
