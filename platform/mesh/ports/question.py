"""What a reader asks of a port: filters, fields, how many rows, from where, in which format.

    question_of(contract, [("queue", "billing"), ("limit", "10")], accept="text/csv")

Not here: reading the rows (`pages`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mesh.contract.model import Contract
from mesh.contract.names import listed, nearest, shown
from mesh.errors import WrongUse
from mesh.ports.filters import Condition, condition_of
from mesh.ports.formats import FORMATS, accepted

__all__ = ["ALL", "DEFAULT_LIMIT", "MAX_ROWS", "RESERVED", "Question", "question_of"]

MAX_ROWS = 10_000
DEFAULT_LIMIT = 100
ALL = "all"
# Parameters of our own; a field of such a name is asked with its operator: `limit.eq=7`.
RESERVED = ("limit", "cursor", "fields", "format")

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of *contract*'s port. *limit* is None for every row there is, in no order."""

    contract: Contract
    condition: Condition
    fields: tuple[str, ...]
    limit: int | None
    cursor: str | None
    format: str

    @property
    def digest(self) -> str:
        """Of what decides which rows there are, page after page."""
        contract, condition = self.contract, self.condition
        asked = (contract.id, contract.version, condition.sql, condition.values)
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]

    @property
    def whole(self) -> str:
        """What decides the answer at given offsets."""
        return json.dumps([self.digest, self.fields, self.limit, self.cursor, self.format])


def question_of(contract: Contract, pairs: Pairs, accept: str) -> Question:
    """The question in the parameters *pairs* and in the header Accept.

    Raises `WrongUse` for what the contract does not have, `NotAcceptable` for another format.
    """
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    own = {name: _single(name, given.pop(name)) for name in RESERVED if name in given}
    return Question(
        contract=contract,
        condition=condition_of(contract, given),
        fields=_fields(contract, own.get("fields")),
        limit=_limit(own.get("limit", str(DEFAULT_LIMIT))),
        cursor=_cursor(own),
        format=_format(own, accept),
    )


def _single(name: str, texts: Sequence[str]) -> str:
    if len(texts) > 1:
        raise WrongUse(f"{name} is there {len(texts)} times: give it once")
    return texts[0]


def _fields(contract: Contract, text: str | None) -> tuple[str, ...]:
    """The chosen columns, in the contract's order whatever the order of asking."""
    known = [each.name for each in contract.fields]
    if text is None:
        return tuple(known)
    chosen = text.split(",")
    for name in chosen:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"the fields are {listed(known)}"
            raise WrongUse(f"fields: {contract.id} has no field {shown(name)}: {hint}")
    return tuple(name for name in known if name in chosen)


def _limit(text: str) -> int | None:
    if text == ALL:
        return None
    if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= MAX_ROWS:
        raise WrongUse(f"limit is {shown(text)}: write 1 to {MAX_ROWS}, or {ALL}")
    return int(text)


def _cursor(own: Mapping[str, str]) -> str | None:
    if "cursor" in own and own.get("limit") == ALL:
        raise WrongUse(f"limit={ALL} is no page: leave the cursor out, or give a number as limit")
    return own.get("cursor")


def _format(own: Mapping[str, str], accept: str) -> str:
    name = own.get("format")
    if name is None:
        return accepted(accept)
    if name not in FORMATS:
        raise WrongUse(f"format is {shown(name)}: write one of {listed(FORMATS)}")
    return name
