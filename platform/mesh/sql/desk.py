"""Answers queries of principals: from the cache, or by a worker over what each is granted now.

    answer = desk.answer(Asked(principal="ada", sql="select 1"))
    for piece in answer.pieces: …
    answer.close()

Who is granted what is asked anew for each query. Not here: HTTP, and who a token speaks for.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mesh.contract.sql import NOWHERE
from mesh.contract.types import duckdb_columns
from mesh.errors import MeshError, WrongUse
from mesh.sql.asked import Answer, Asked, Ran, document_of, key_of, offsets_of
from mesh.sql.cache import Cache, is_repeatable
from mesh.sql.pool import Pool, Run
from mesh.sql.promise import Broken
from mesh.sql.shelf import Shelf, Shown, name_of

__all__ = ["Desk"]

# A copy may be replaced by newer ones before a worker has opened it.
TRIES = 3


@dataclass(slots=True, kw_only=True)
class Desk:
    """What answers are made of. *granted* tells the contracts that a principal may read.

    *why_not* says why nobody is answered, where the limits for workers do not exist. *may_ask*
    raises `Refused` for what a principal may not ask; *note* is told of each that has ended;
    *marts* are those that whoever is granted some ports may read.
    """

    shelf: Shelf
    pool: Pool
    granted: Callable[[str], frozenset[str]]
    why_not: str = ""
    may_ask: Callable[[Asked], None] = lambda _: None
    note: Callable[[Ran], None] = lambda _: None
    marts: Callable[[frozenset[str]], Sequence[Shown]] = lambda _: ()
    cache: Cache = field(default_factory=Cache)
    counts: Counter[str] = field(default_factory=Counter)
    _had: dict[str, frozenset[str]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a query, once its first rows are there.

        Raises `WrongUse` where the query has none, `MeshError` where it has none now.
        """
        if self.why_not:
            raise MeshError(f"{NOWHERE}: {self.why_not}")
        self.may_ask(asked)
        begun, shown = time.monotonic(), self._shown(asked.principal)
        is_kept = not asked.is_plan and is_repeatable(asked.sql)
        kept = self.cache.find(key_of(asked, shown)) if is_kept else None
        if kept is not None:
            self.counts["hit"] += 1
            self.counts["age_milliseconds"] += int(1000 * kept.age_s)
            self._note(asked, shown, "kept", begun, {"rows": kept.rows})
            return Answer(
                pieces=iter([kept.body]),
                offsets=offsets_of(shown),
                cache="hit",
                age_s=kept.age_s,
            )
        self.counts["miss"] += 1
        try:
            return self._ask(asked, is_kept=is_kept)
        except MeshError as error:
            outcome = "broken" if isinstance(error, Broken) else "refused"
            self.counts[outcome if isinstance(error, WrongUse) else "failed"] += 1
            if isinstance(error, WrongUse):
                self._note(asked, shown, outcome, begun, {})
            raise

    def _ask(self, asked: Asked, *, is_kept: bool) -> Answer:
        """Have a worker answer, when it is the principal's turn."""
        begun = time.monotonic()
        with ExitStack() as stack:
            run = stack.enter_context(self.pool.turn(Run(id=asked.id, principal=asked.principal)))
            for left in reversed(range(TRIES)):
                # Rights and rows may have changed while it waited.
                shown = self._shown(asked.principal)
                pieces = self.pool.ask(
                    run, [each.copy for each in shown], document_of(asked, shown)
                )
                try:
                    first = next(pieces, b"")
                    break
                except WrongUse:
                    raise
                except MeshError:
                    if not left:
                        raise
            self.counts["answered"] += 1
            close = stack.pop_all().close
        key = key_of(asked, shown) if is_kept else None
        return Answer(
            pieces=self._noted(first, pieces, key, lambda: self._end(asked, shown, run, begun)),
            offsets=offsets_of(shown),
            cache="miss",
            close=close,
        )

    def _noted(
        self,
        first: bytes,
        pieces: Iterator[bytes],
        key: Hashable | None,
        end: Callable[[], int],
    ) -> Iterator[bytes]:
        """The pieces of an answer, which is kept once it is whole; *end* counts its rows then."""
        found = [first]
        yield first
        for piece in pieces:
            if key is not None:
                found.append(piece)
            yield piece
        rows = end()
        if key is not None:
            self.cache.keep(key, b"".join(found), rows)

    def _end(self, asked: Asked, shown: Sequence[Shown], run: Run, begun: float) -> int:
        """Note that an answer is whole; how many rows it has."""
        self.counts["milliseconds"] += int(1000 * (time.monotonic() - begun))
        self._note(asked, shown, "answered", begun, run.cost)
        return run.cost.get("rows", 0)

    def _note(
        self,
        asked: Asked,
        shown: Sequence[Shown],
        outcome: str,
        begun: float,
        cost: Mapping[str, int],
    ) -> None:
        self.note(
            Ran(
                asked=asked,
                at=datetime.now(UTC),
                outcome=outcome,
                milliseconds=int(1000 * (time.monotonic() - begun)),
                contracts=[each.contract for each in shown],
                offsets=offsets_of(shown),
                rows=cost.get("rows", 0),
                cpu_ms=cost.get("cpu_ms", 0),
            )
        )

    def tables(self, principal: str) -> list[Mapping[str, object]]:
        """The ports that a principal may read as tables, with their columns; not the marts."""
        return [
            {
                "name": ".".join(name_of(each.contract)),
                "port": each.contract.id,
                "kind": each.contract.kind,
                "columns": [
                    {"name": name, "type": type_} for name, type_ in duckdb_columns(each.contract)
                ],
                "offsets": each.offsets,
                "age_s": round(time.monotonic() - each.at, 3),
            }
            for each in self._shown(principal, with_marts=False)
        ]

    def cancel(self, principal: str, id_: str) -> bool:
        """Stop a query of a principal; whether there was one."""
        return self.pool.stop(principal, id_, "the query was cancelled") > 0

    def look_at_rights(self) -> None:
        """Revoke what those who have asked here are granted no longer."""
        for principal, had in [*self._had.items()]:
            lost = had - self.granted(principal)
            if lost:
                self.revoke(principal, lost)

    def revoke(self, principal: str, ports: Iterable[str]) -> None:
        """End what a principal has, and drop the copies of *ports*; others get new ones."""
        self._had.pop(principal, None)
        self.pool.stop(principal, reason="rights have changed: ask again")
        self.cache.forget(principal)
        for each in ports:
            self.shelf.forget(each)

    def _shown(self, principal: str, *, with_marts: bool = True) -> list[Shown]:
        granted = self.granted(principal)
        # Nobody who has lost a right meanwhile is taken for one who never had it.
        self._had[principal] = granted | self._had.get(principal, frozenset())
        return [*self.shelf.current(granted), *(self.marts(granted) if with_marts else ())]
