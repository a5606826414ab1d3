"""A query as it is asked, its answer, and how it ended: the values that the desk works with.

Not here: who answers (`desk`), and what is kept of those that have run (`notes`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mesh.contract.model import Contract
from mesh.sql.promise import Promise
from mesh.sql.shelf import Shown

__all__ = ["Answer", "Asked", "Ran", "document_of", "key_of", "offsets_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query, by its *id*, and the format that its answer is to have.

    One that was asked for by its name has a *promise*.
    """

    principal: str
    sql: str
    parameters: Sequence[object] | Mapping[str, object] = ()
    is_plan: bool = False
    format: str = "json"
    id: str = ""
    promise: Promise | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A query that has had its end, and what it cost; of values there is nothing but its text.

    *outcome* is answered, kept, broken or refused; *contracts* are what it might have read.
    """

    asked: Asked
    at: datetime
    outcome: str
    milliseconds: int
    contracts: Sequence[Contract]
    offsets: Mapping[str, Mapping[str, int]]
    rows: int = 0
    cpu_ms: int = 0


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


def key_of(asked: Asked, shown: Sequence[Shown]) -> Hashable:
    """What an answer depends on. Raises `WrongUse` for parameters that are not JSON."""
    parameters = json.dumps(asked.parameters, sort_keys=True)
    copies = tuple((each.contract.id, each.copy.generation) for each in shown)
    promise = asked.promise and (asked.promise.name, asked.promise.version)
    return (asked.principal, asked.sql, promise, parameters, asked.format, copies)


def document_of(asked: Asked, shown: Sequence[Shown]) -> Mapping[str, object]:
    """A query as a worker is asked it."""
    return {
        "sql": asked.sql,
        "parameters": asked.parameters,
        "is_plan": asked.is_plan,
        "format": asked.format,
        "offsets": offsets_of(shown),
        "promise": asked.promise and asked.promise.as_document(),
    }


def offsets_of(shown: Sequence[Shown]) -> Mapping[str, Mapping[str, int]]:
    """The offsets that come next, by topic and partition."""
    return {each.contract.topic: each.offsets for each in shown}
