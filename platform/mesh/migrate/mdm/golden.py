"""The golden record, made anew each night: which cards there are, and whom a number leads to.

It has one answer to a number: the person of the golden record that has the card of the number's
contract. Which card, where there are several, is its one rule. Not here: the matching (`match`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from mesh.migrate.mdm.match import TEXT, Pairs
from mesh.migrate.mdm.merge import Ints, merged

__all__ = ["RULES", "Golden", "Held", "Night", "hold"]

DAY, NIGHTLY = 86_400_000_000, 2 * 3_600_000_000
RULES = (("user", "holder"), ("holder", "user"))
NOBODY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Revisions of cards in the order of writing, as numbers.

    *text* is the position of what they say among *texts*, *person* whose each text is, in truth.
    """

    texts: pa.Table
    text: Ints
    card: Ints
    role: Sequence[str]
    about: Sequence[str]
    is_retracted: Ints
    written: Ints
    person: Ints
    names: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What one nightly run left: the golden record and the person of each text, cards, numbers."""

    label: Ints
    person: Ints
    cards: Mapping[tuple[str, str], int]
    contracts: Mapping[str, str]

    def text_of(self, phone_number: str, rule: Sequence[str]) -> int:
        """The text of the card that a number leads to, `NOBODY` where to none."""
        contract = self.contracts.get(phone_number, "")
        for role in rule:
            if (found := self.cards.get((role, contract), NOBODY)) != NOBODY:
                return found
        return NOBODY


def hold(rows: pa.Table, persons: Sequence[str]) -> Held:
    """Number the revisions of cards, and what they say."""
    order = pa.array(np.argsort(micros(rows["written_at"]), kind="stable"))
    rows, whose = rows.take(order), pa.array(persons).take(order)
    said = list(zip(*(rows[name].to_pylist() for name in ("card_id", *TEXT)), strict=True))
    position: dict[tuple[str, ...], int] = {}
    text = np.array([position.setdefault(each, len(position)) for each in said], dtype=np.int64)
    first = np.unique(text, return_index=True)[1]
    coded = whose.dictionary_encode()
    cards = rows["card_id"].combine_chunks().dictionary_encode()
    return Held(
        texts=rows.select(TEXT).take(pa.array(first)),
        text=text,
        card=cards.indices.to_numpy().astype(np.int64),
        role=rows["role"].to_pylist(),
        about=rows["about"].to_pylist(),
        is_retracted=np.array(rows["is_retracted"].to_pylist(), dtype=np.int64),
        written=micros(rows["written_at"]),
        person=coded.indices.to_numpy().astype(np.int64)[first],
        names=coded.dictionary.to_pylist(),
    )


class Golden:
    """All nights of golden records over *held*, merged by *pairs*; *numbers* are the CRM's."""

    def __init__(self, held: Held, pairs: Pairs, numbers: pa.Table) -> None:
        self._held, self._pairs = held, pairs
        order = np.argsort(micros(numbers["written_at"]), kind="stable")
        self._numbers = numbers.take(pa.array(order)).to_pylist()
        self._written = micros(numbers["written_at"])[order]
        self.night = lru_cache(maxsize=None)(self._night)

    def before(self, at: int) -> Night:
        """What the last run before an instant left."""
        return self.night((at - NIGHTLY) // DAY * DAY + NIGHTLY)

    def _night(self, at: int) -> Night:
        held = self._held
        known = int(held.written.searchsorted(at))
        newest = np.full(int(held.card.max()) + 1, NOBODY, dtype=np.int64)
        # The last of those that are written to one place is what stays there.
        newest[held.card[:known]] = np.arange(known)
        rows = np.sort(newest[newest != NOBODY])
        rows = rows[held.is_retracted[rows] == 0]
        is_there = np.zeros(len(held.person), dtype=np.bool_)
        is_there[held.text[rows]] = True
        both = is_there[self._pairs.first] & is_there[self._pairs.second]
        label = merged(
            len(held.person),
            Pairs(
                first=self._pairs.first[both],
                second=self._pairs.second[both],
                weight=self._pairs.weight[both],
            ),
        )
        cards = {(held.role[n], held.about[n]): int(held.text[n]) for n in rows.tolist()}
        return Night(
            label=label,
            person=most(label, held.person, is_there),
            cards=cards,
            contracts=self._contracts(at),
        )

    def _contracts(self, at: int) -> dict[str, str]:
        """The contract of each number, as the CRM has it: its newest word that is not over."""
        known = self._numbers[: int(self._written.searchsorted(at))]
        newest = {each["link_id"]: each for each in known}
        found: dict[str, str] = {}
        for each in sorted(newest.values(), key=lambda each: each["written_at"]):
            end = each["valid_to"]
            if not each["retracted"] and (end is None or end.timestamp() * 1e6 > at):
                found[each["phone_number"]] = each["contract_number"]
        return found


def most(label: Ints, person: Ints, is_there: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ints:
    """Whom each golden record is about: whose cards are the most in it."""
    many = int(person.max(initial=0)) + 1
    pair, count = np.unique(label[is_there] * many + person[is_there], return_counts=True)
    found = person.copy()
    # In order of count, so that the largest is written last.
    order = np.argsort(count, kind="stable")
    whom = np.full(len(label), NOBODY, dtype=np.int64)
    whom[pair[order] // many] = pair[order] % many
    has = whom[label] != NOBODY
    found[has] = whom[label][has]
    return found


def micros(column: pa.ChunkedArray) -> Ints:
    """Instants as microseconds."""
    found: Ints = column.cast(pa.int64()).to_numpy()
    return found
