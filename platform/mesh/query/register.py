"""Queries that their owners have registered with a running service, beside those of the project.

    register = Register(folder, shipped, people, log)
    register.put("ada", "calls-per-day", text)
    register.queries["calls-per-day"]

One file each, as the project has them. Not here: who may ask (`mesh.wiring.sql_named`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mesh.contract.faults import Fault
from mesh.contract.names import is_kebab, listed, parse_version
from mesh.contract.people import Person
from mesh.errors import InvalidFile, Refused, StorageError, WrongUse
from mesh.query.files import NamedQuery, load_query

__all__ = ["Register"]


class Register:
    """All queries by name: those *shipped*, and those in *folder*; any thread may ask.

    What is in *folder* and cannot be read any more is left out, and *say* is told.
    """

    def __init__(
        self,
        folder: Path,
        shipped: Iterable[NamedQuery],
        people: Mapping[str, Person],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._folder, self._people = folder, people
        self._shipped = {each.name: each for each in shipped}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found: dict[str, NamedQuery] = {}
        for path in sorted(folder.glob("*.sql")):
            try:
                query = load_query(path, people)
                found[query.name] = query
            except InvalidFile as error:
                say(f"a registered query is left out: {str(error).splitlines()[0]}")
        # Whoever was given it sees what is registered from then on.
        self.queries: dict[str, NamedQuery] = {**found, **self._shipped}

    def put(self, principal: str, name: str, text: bytes) -> NamedQuery:
        """Register a query of *principal*'s own, or its next version.

        Raises `WrongUse` for what is no query, `Refused` for another's, `StorageError`.
        """
        if not is_kebab(name):
            raise WrongUse("name a query in kebab-case")
        path = self._folder / f"{name}.sql"
        with self._lock, TemporaryDirectory(dir=self._folder) as beside:
            new = Path(beside) / path.name
            try:
                new.write_bytes(text)
                query = load_query(new, self._people)
                self._check(principal, query, text)
                new.replace(path)
            except InvalidFile as error:
                raise WrongUse("; ".join(said(each) for each in error.faults)) from error
            except OSError as error:
                raise StorageError(f"{path} cannot be written: {error.strerror}") from error
            self.queries[name] = query
        return query

    def _check(self, principal: str, query: NamedQuery, text: bytes) -> None:
        """Raise where *principal* may not register *query*, or not as this version."""
        old, person = self.queries.get(query.name), self._people.get(principal)
        owners = {each.owner for each in (query, old) if each is not None}
        if owners != {principal} or person is None or person.is_limited:
            raise Refused(f"{query.name} is of {listed(sorted(owners))}, who alone may register it")
        if query.mart:
            raise WrongUse("a mart is a query of the project: put its file there")
        if query.name in self._shipped:
            raise WrongUse(f"{query.name} is a query of the project: change its file there")
        if old is None or numbers(query) > numbers(old):
            return
        if text != self._folder.joinpath(f"{query.name}.sql").read_bytes():
            raise WrongUse(f"{query.name} {old.version} is there: give this a higher version")


def numbers(query: NamedQuery) -> tuple[int, int, int]:
    """The version of a query, as it compares."""
    return parse_version(query.version) or (0, 0, 0)


def said(fault: Fault) -> str:
    """A fault without the folder in which it was read."""
    return str(replace(fault, path=Path(fault.path.name)))
