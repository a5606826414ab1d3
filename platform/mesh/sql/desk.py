"""Answers queries of principals: from the cache, or by a worker over what each is granted now.

    answer = desk.answer(Asked(principal="ada", sql="select 1"))
    for piece in answer.pieces: …
    answer.close()

Who is granted what is asked anew for each query. Not here: HTTP, and who a token speaks for.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from mesh.contract.sql import NOWHERE
from mesh.contract.types import duckdb_columns
from mesh.errors import MeshError, WrongUse
from mesh.sql.cache import Cache, is_repeatable
from mesh.sql.pool import Pool, Run
from mesh.sql.shelf import Shelf, Shown, name_of

__all__ = ["Answer", "Asked", "Desk"]

# A copy may be replaced by newer ones before a worker has opened it.
TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query, by its *id*, and the format that its answer is to have."""

    principal: str
    sql: str
    parameters: Sequence[object] | Mapping[str, object] = ()
    is_plan: bool = False
    format: str = "json"
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer in pieces, and the offsets that come after the rows that it is true for.

    *cache* says whether it was kept, and *age_s* for how long. Whoever takes it closes it.
    """

    pieces: Iterator[bytes]
    offsets: Mapping[str, Mapping[str, int]]
    cache: str
    age_s: float = 0.0
    close: Callable[[], None] = lambda: None


@dataclass(slots=True, kw_only=True)
class Desk:
    """What answers are made of. *granted* tells the contracts that a principal may read.

    *why_not* says why nobody is answered, where the limits for workers do not exist.
    """

    shelf: Shelf
    pool: Pool
    granted: Callable[[str], frozenset[str]]
    why_not: str = ""
    cache: Cache = field(default_factory=Cache)
    counts: Counter[str] = field(default_factory=Counter)
    _had: dict[str, frozenset[str]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a query, once its first rows are there.

        Raises `WrongUse` where the query has none, `MeshError` where it has none now.
        """
        if self.why_not:
            raise MeshError(f"{NOWHERE}: {self.why_not}")
        shown = self._shown(asked.principal)
        is_kept = not asked.is_plan and is_repeatable(asked.sql)
        kept = self.cache.find(key_of(asked, shown)) if is_kept else None
        if kept is not None:
            self.counts["hit"] += 1
            self.counts["age_milliseconds"] += int(1000 * kept.age_s)
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
            self.counts["refused" if isinstance(error, WrongUse) else "failed"] += 1
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
            pieces=self._noted(first, pieces, key, begun),
            offsets=offsets_of(shown),
            cache="miss",
            close=close,
        )

    def _noted(
        self, first: bytes, pieces: Iterator[bytes], key: Hashable | None, begun: float
    ) -> Iterator[bytes]:
        """The pieces of an answer, which is kept once it is whole."""
        found = [first]
        yield first
        for piece in pieces:
            if key is not None:
                found.append(piece)
            yield piece
        self.counts["milliseconds"] += int(1000 * (time.monotonic() - begun))
        if key is not None:
            self.cache.keep(key, b"".join(found))

    def tables(self, principal: str) -> list[Mapping[str, object]]:
        """The tables that a principal may read, with their columns."""
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
            for each in self._shown(principal)
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

    def _shown(self, principal: str) -> list[Shown]:
        granted = self.granted(principal)
        # Nobody who has lost a right meanwhile is taken for one who never had it.
        self._had[principal] = granted | self._had.get(principal, frozenset())
        return self.shelf.current(granted)


def key_of(asked: Asked, shown: Sequence[Shown]) -> Hashable:
    """What an answer depends on. Raises `WrongUse` for parameters that are not JSON."""
    parameters = json.dumps(asked.parameters, sort_keys=True)
    copies = tuple((each.contract.id, each.copy.generation) for each in shown)
    return (asked.principal, asked.sql, parameters, asked.format, copies)


def document_of(asked: Asked, shown: Sequence[Shown]) -> Mapping[str, object]:
    """A query as a worker is asked it."""
    return {
        "sql": asked.sql,
        "parameters": asked.parameters,
        "is_plan": asked.is_plan,
        "format": asked.format,
        "offsets": offsets_of(shown),
    }


def offsets_of(shown: Sequence[Shown]) -> Mapping[str, Mapping[str, int]]:
    """The offsets that come next, by topic and partition."""
    return {each.contract.topic: each.offsets for each in shown}
