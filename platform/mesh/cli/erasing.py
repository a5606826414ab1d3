"""The steps of an erasure, in their order; each may be done again, and is where it was not done.

    found      the person's messages, on every topic
    buried     tombstones at the sources; products take away what they made of them
    unopened   the audit logs destroy what opens the entries; the mesh says how many
    cleaned    the topics are compacted until nothing is left
    rewritten  each product writes its storage anew

Not here: the command (`erase`), what the doors are asked (`erase_doors`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mesh.backbone.registry import Registry
from mesh.cli.app import App
from mesh.cli.erase_doors import audit_past, audited, products_past, rewrite, running, settled
from mesh.contract.audit import ERASER
from mesh.contract.questions import PERSON, identifier_in, require_role, roles_of
from mesh.contract.sql import SQL_SERVICE
from mesh.contract.whose import Whose, persons_of, whose_of
from mesh.erasure.hand import CLEANED, NAMED, Hand
from mesh.erasure.orphans import orphans
from mesh.erasure.places import Place, places_of
from mesh.erasure.request import Request
from mesh.erasure.saying import of_topics, say
from mesh.erasure.search import Found, Searcher
from mesh.errors import MeshError, Unreachable, WrongUse
from mesh.home import locked

__all__ = ["Erasing", "Outcome"]

LINKS = "key-ring.links"
# So long nothing changes where a message is another mesh's to erase.
STILL_S = 10.0
CLEANING_S, ROLL_S = 300.0, 1.0
EVERY = 100_000


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What was found, and what has become of it."""

    found: Sequence[Found]
    logs: Sequence[Mapping[str, Any]]
    left: Sequence[Found] = ()
    storages: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Erasing:
    """One erasure in the mesh of *app*; *tell* is told what is done now."""

    def __init__(self, app: App, registry: Registry, tell: Callable[[str], None]) -> None:
        self._app, self._tell = app, tell
        self._eraser = app.principal(ERASER)
        self._places = [*places_of(app.project)]
        contracts = app.project.contracts
        self._search = Searcher(app.endpoint, self._eraser, contracts, registry.schema)
        self._hand = Hand(app.endpoint, self._eraser, app.principal)

    def resolve(self, identifier: str, roles: Collection[str], at: int) -> Whose:
        """Whose *identifier* is in the first of *roles*, and what else leads there in all of them.

        Raises `WrongUse` for what is no question, `MeshError` where nobody or several are found.
        """
        project = self._app.project
        relations = [each.relation for each in project.relations if each.relation is not None]
        kind, value = identifier_in(identifier, project.identifiers, relations)
        require_role(kind, PERSON, next(iter(roles), None), relations)
        for each in roles:
            if each not in roles_of(relations):
                known = ", ".join(sorted(roles_of(relations)))
                raise WrongUse(f"{each[:80]!r} is no role: write one of {known}")
        contract = project.contract(LINKS)
        settled(self._app, contract.product, self._tell)
        links = self._search.links(contract.topic)
        persons = persons_of(links, (kind, value), {next(iter(roles))}, at)
        if len(persons) != 1:
            found = f"to {', '.join(sorted(persons))}" if persons else "to nobody"
            raise MeshError(
                f"{identifier} leads {found} in that role at that time: say --at an instant when "
                f"it led to one, or --identifier person:ID"
            )
        format_ = project.identifiers[PERSON].format or ""
        return whose_of(links, min(persons), roles, format_)

    def look(self, request: Request) -> list[Found]:
        """What there is of the person on every topic; their keys are remembered."""
        self._tell(f"reading {len(self._places)} topics")
        found = self._search.find(self._places, request.whose, request.keys, self._count)
        for each in found:
            request.keys.setdefault(each.place.topic, set()).update(each.keys)
        return found

    def _count(self, count: int) -> None:
        """Tell how far reading is, now and then."""
        if count >= EVERY:
            self._tell(f"reading topics: {count // EVERY * EVERY:,} messages")

    def plan(self, request: Request) -> Outcome:
        """What would be erased; nothing is touched."""
        logs = audited(self._app, request.id, request.whose, is_dry=True)
        return Outcome(found=self.look(request), logs=logs)

    def run(self, request: Request) -> Outcome:
        """Do it all, and forget the request. Raises a `MeshError` where it must be gone on with."""
        with locked(request.path.with_name("lock"), "another erasure"):
            return self._run(request)

    def _run(self, request: Request) -> Outcome:
        products = running(self._app)
        found = self.look(request)
        request.save()
        last = self._bury(request)
        request.save()
        audit_past(self._app, ends_of(last), self._tell)
        logs = audited(self._app, request.id, request.whose)
        say(self._app.endpoint, self._eraser, request.id, of_topics(logs))
        self._clean(request, last)
        self._hand.cut({each.place.topic: each.cuts for each in last if is_retry(each)})
        storages = self._rewrite(products)
        left = [each for each in self.look(request) if each.is_left]
        request.end()
        return Outcome(found=found, logs=logs, left=left, storages=storages)

    def _bury(self, request: Request) -> list[Found]:
        """Write tombstones at the sources until nobody says anything of the person any more.

        What no source in this mesh has said stays where it is.
        """
        still: Mapping[str, object] = {}
        since = time.monotonic()
        while True:
            found = self.look(request)
            sources = self._tombstones(request, found)
            for place, keys in sources:
                self._tell(f"writing tombstones on {place.topic}")
                self._hand.bury(place, keys)
            if sources:
                found = self.look(request)
            products_past(self._app, ends_of(found), self._tell)
            standing = {
                each.place.topic: sorted(each.standing)
                for each in found
                if each.standing and not is_retry(each)
            }
            if not standing and not sources:
                return found
            if sources or standing != still:
                still, since = standing, time.monotonic()
            if not sources and time.monotonic() - since > STILL_S:
                return found
            time.sleep(0.5)

    def _tombstones(
        self, request: Request, found: Sequence[Found]
    ) -> list[tuple[Place, Mapping[bytes, int]]]:
        """What is to be written where; for a row whose message is gone, once."""
        missing = orphans(found)
        tombstones: list[tuple[Place, Mapping[bytes, int]]] = []
        for each in found:
            topic, known = each.place.topic, request.keys[each.place.topic]
            lost = {k: n for k, n in missing.get(topic, {}).items() if k not in known}
            known.update(lost)
            if is_source(each) and (each.standing or lost):
                tombstones.append((each.place, {**lost, **each.standing}))
        return tombstones

    def _clean(self, request: Request, found: Iterable[Found]) -> None:
        """Have the topics compacted until nothing is left; settings are put back in any case."""
        dirty = [each.place for each in found if each.is_left and not is_retry(each)]
        lowered = {
            each.topic: {**CLEANED, **(NAMED if self._is_named(request, each) else {})}
            for each in dirty
        }
        new = [topic for topic in lowered if topic not in request.settings]
        request.settings |= self._hand.settings(new, (*CLEANED, *NAMED))
        request.save()
        try:
            self._hand.set(lowered)
            self._roll_until_clean(request, dirty)
        finally:
            self._hand.set(request.settings)
        request.settings = {}
        request.save()

    def _roll_until_clean(self, request: Request, dirty: Sequence[Place]) -> None:
        partitions, deadline = self._hand.partitions(), time.monotonic() + CLEANING_S
        while dirty:
            self._hand.roll(dirty, partitions)
            time.sleep(ROLL_S)
            left = self._search.find(dirty, request.whose, request.keys)
            # Of what nobody in this mesh has said the row stays.
            dirty = [each.place for each in left if each.rows > len(each.standing) or each.named]
            count = sum(each.rows + each.named for each in left)
            self._tell(f"compacting: {count:,} messages left on {len(dirty)} topics")
            if dirty and time.monotonic() > deadline:
                names = ", ".join(each.topic for each in dirty)
                raise Unreachable(
                    f"Kafka has not compacted {names} in {CLEANING_S:.0f} s: ask again with the "
                    "same request, which goes on"
                )

    def _is_named(self, request: Request, place: Place) -> bool:
        """Whether any key of the person on a topic says who it is."""
        keys = (key.decode("utf-8", "replace") for key in request.keys[place.topic])
        return any(request.whose.found_in(key) for key in keys)

    def _rewrite(self, products: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Have all products write their storages anew at once; bytes before and after."""
        paths = {each: self._app.home.storage(each) for each in products}
        before = {each: size(path) for each, path in paths.items()}
        self._tell("waiting for the products and the SQL access point to write their files anew")
        with ThreadPoolExecutor(max_workers=len(products) + 1) as threads:
            list(threads.map(partial(rewrite, self._app), (*products, SQL_SERVICE)))
        return {each: (before[each], size(path)) for each, path in paths.items()}


def size(path: Path) -> int:
    """The bytes of a storage and its log, none where it is on another machine."""
    both = (path, path.with_name(f"{path.name}.wal"))
    return sum(each.stat().st_size for each in both if each.exists())


def is_source(found: Found) -> bool:
    """Whether what is there goes by a tombstone; what a product makes goes by itself."""
    return found.place.kind in ("staging", "rejected")


def is_retry(found: Found) -> bool:
    """Whether it is a topic of messages that are asked for again."""
    return found.place.kind == "retry"


def ends_of(found: Iterable[Found]) -> dict[str, Mapping[int, int]]:
    """Behind the last message of each partition."""
    return {each.place.topic: each.ends for each in found}
