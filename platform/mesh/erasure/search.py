"""Reads the topics of a mesh through for a person, as whoever erases.

Not here: what makes a message the person's (`mesh.product.searching`), what is done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.wire import CE_ID
from mesh.contract.model import Contract
from mesh.contract.questions import micros
from mesh.contract.whose import ALWAYS, FOREVER, Link, Whose
from mesh.erasure.places import Place
from mesh.product.offsets import place
from mesh.product.readback import read_back
from mesh.product.searching import Keys, Raw, SchemaOf, Search, Values

__all__ = ["Found", "Searcher"]

NOBODY = Whose(person="", spans={}, format="")


@dataclass(slots=True, kw_only=True)
class Found:
    """What one topic has of the person: *rows*, *tombstones* of them, those whose key *named* them.

    *standing* has the partition of each key whose last message is a row, *keys* has all keys.
    """

    place: Place
    rows: int = 0
    tombstones: int = 0
    named: int = 0
    standing: dict[bytes, int] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)
    # Topic and partition of the message that a row came from, by the row's key.
    causes: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    # Behind the last message of each partition, and behind the person's last.
    ends: dict[int, int] = field(default_factory=dict)
    cuts: dict[int, int] = field(default_factory=dict)

    @property
    def is_left(self) -> bool:
        """Whether anything must be cleaned away: a tombstone may stay if its key says nothing."""
        return bool(self.rows or self.named)


class Searcher:
    """Looks for a person in topics, with the *contracts* by id and the schemas of the registry."""

    def __init__(
        self,
        endpoint: Endpoint,
        principal: Principal,
        contracts: Mapping[str, Contract],
        schema_of: SchemaOf,
    ) -> None:
        self._endpoint, self._principal = endpoint, principal
        self._contracts, self._schema_of = contracts, schema_of

    def find(
        self,
        places: Iterable[Place],
        whose: Whose,
        known: Mapping[str, Collection[bytes]],
        tell: Callable[[int], None] = lambda _: None,
    ) -> list[Found]:
        """Read *places* to their ends; tombstones of keys *known* by topic are the person's too.

        Raises a `BackboneError` where Kafka or the registry is away or refuses.
        """
        found = {each.topic: Found(place=each) for each in places}
        searches: dict[tuple[str, int], Search] = {}
        count = 0
        for chunk in read_back(self._endpoint, self._principal, *found) if found else ():
            count += len(chunk)
            tell(count)
            for (topic, partition), messages in by_partition(chunk):
                its = found[topic]
                if (topic, partition) not in searches:
                    search = self._search(its.place, whose, known.get(topic, ()))
                    searches[topic, partition] = search
                look(searches[topic, partition], partition, messages, its, whose)
        for (topic, partition), search in searches.items():
            found[topic].standing |= dict.fromkeys(search.standing, partition)
        return [*found.values()]

    def links(self, topic: str) -> list[Link]:
        """The links that hold, by the key ring's state port. Raises as `find` does."""
        raw, last = Raw(NOBODY, self._schema_of), dict[bytes, Mapping[str, Any] | None]()
        for chunk in read_back(self._endpoint, self._principal, topic):
            rows: dict[int, Mapping[str, Any]] = {}
            for numbers, table in raw.tables([each.value() for each in chunk]):
                rows |= zip(numbers, table.to_pylist(), strict=True)
            last |= {each.key() or b"": rows.get(number) for number, each in enumerate(chunk)}
        return [link_of(each) for each in last.values() if each is not None and each["holds"]]

    def _search(self, at: Place, whose: Whose, known: Collection[bytes]) -> Search:
        if at.kind in ("staging", "port"):
            return Search(whose, at.contract, self._schema_of, known)
        if at.kind == "rejected":
            return RejectedSearch(whose, self._contracts, self._schema_of, known)
        return RetrySearch(whose, None, self._schema_of)


class RejectedSearch(Search):
    """Looks through a rejected topic, whose rows hold what broke any of *contracts*."""

    def __init__(
        self,
        whose: Whose,
        contracts: Mapping[str, Contract],
        schema_of: SchemaOf,
        known: Collection[bytes],
    ) -> None:
        super().__init__(whose, None, schema_of, known)
        self._contracts = contracts

    def theirs(self, keys: Keys, values: Values, times_ms: Sequence[int]) -> set[int]:
        """The places of rejections of the person's messages; a reason may quote them."""
        found = set()
        for places, table in self.raw.tables(values):
            for number, row in zip(places, table.to_pylist(), strict=True):
                beside = b"\0".join((row["key"] or b"", row["reason"].encode()))
                contract = self._contracts.get(row["port"])
                if self.raw.is_theirs(contract, beside, row["value"]):
                    found.add(number)
        return found


class RetrySearch(Search):
    """Looks through a retry topic: messages of another, as they came, with whatever keys."""

    def theirs(self, keys: Keys, values: Values, times_ms: Sequence[int]) -> set[int]:
        """The places of the person's."""
        pairs = enumerate(zip(keys, values, strict=True))
        return {place for place, (key, value) in pairs if self.raw.is_theirs(None, key, value)}


def by_partition(
    chunk: Iterable[Message],
) -> Iterator[tuple[tuple[str, int], list[Message]]]:
    """The messages of each topic and partition, in order."""
    found: dict[tuple[str, int], list[Message]] = {}
    for each in chunk:
        found.setdefault(place(each)[:2], []).append(each)
    yield from found.items()


def look(
    search: Search, partition: int, messages: list[Message], found: Found, whose: Whose
) -> None:
    """Add what *messages* of one partition have of the person to what is *found*."""
    hits = search.look(
        [each.key() for each in messages],
        [each.value() for each in messages],
        [each.timestamp()[1] for each in messages],
    )
    found.ends[partition] = (messages[-1].offset() or 0) + 1
    for each in hits:
        found.keys.add(each.key)
        if each.is_row and (cause := cause_of(messages[each.place])) is not None:
            found.causes[each.key] = cause
        found.cuts[partition] = (messages[each.place].offset() or 0) + 1
        found.rows += each.is_row
        found.tombstones += not each.is_row
        found.named += not each.is_row and bool(whose.found_in(each.key.decode("utf-8", "replace")))


def cause_of(message: Message) -> tuple[str, int] | None:
    """Topic and partition of what *message* was made of, as its id says (`outbox.event_ids`)."""
    pairs: Any = message.headers()  # a list of pairs, which its annotation leaves out
    id_ = next((value for name, value in pairs or () if name == CE_ID), None)
    parts = (id_ or b"").decode("utf-8", "replace").rsplit("/", 3)
    return (parts[0], int(parts[1])) if len(parts) == 4 and parts[1].isdecimal() else None


def link_of(row: Mapping[str, Any]) -> Link:
    """A row of the key ring's as a link."""
    begin, end = row["valid_from"], row["valid_to"]
    return Link(
        role=row["relation"].rpartition("-")[2],
        start=(row["from_type"], row["from_id"]),
        end=(row["to_type"], row["to_id"]),
        span=(ALWAYS if begin is None else micros(begin), FOREVER if end is None else micros(end)),
        cardinality=row["cardinality"],
    )
