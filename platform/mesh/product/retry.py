"""The retry topic of an input port: what its owner asks to be taken in once more.

A message on it is the original again, key and value as they came; its headers say where that
stood, so that what is made of it has the ids that it would have had. Not here: whether it may
be taken in still (`replays`), and asking for it (`asking`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from mesh.contract.model import Contract
from mesh.product.causes import causes_of, headers_of
from mesh.product.offsets import place
from mesh.product.plan import Input
from mesh.product.rejection import Fault, of_messages

if TYPE_CHECKING:
    from mesh.product.intake import Arrival, Intake

__all__ = ["Ask", "Place", "Retries", "by_topic", "in_turn", "retry_contract"]

# Topic, partition, offset.
Place = tuple[str, int, int]

ORIGIN, SENT, ONLY, PUBLISHED, TRACE = (
    "mesh-origin",
    "mesh-sent-ms",
    "mesh-only",
    "mesh-published",
    "traceparent",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One message to be taken in again, as if it stood at *origin* still.

    *only* names the one output port that it is for, if not for all; the rows with the keys
    *published* are on that port's topic already. *attempt* is its own place on the retry topic.
    """

    origin: Place
    key: bytes | None = field(repr=False)
    value: bytes | None = field(repr=False)
    sent_ms: int
    trace: str | None = None
    only: str | None = None
    published: tuple[str, ...] = ()
    attempt: int = -1

    def headers(self) -> list[tuple[str, bytes]]:
        """What says the rest beside key and value."""
        found = [(ORIGIN, json.dumps(self.origin)), (SENT, str(self.sent_ms))]
        found += [] if self.trace is None else [(TRACE, self.trace)]
        if self.only is not None:
            found += [(ONLY, self.only), (PUBLISHED, json.dumps(self.published))]
        return [(name, text.encode()) for name, text in found]

    def message(self) -> Message:
        """The original, as a consumer had it."""
        topic, partition, offset = self.origin
        headers: list[tuple[str, str | bytes | None]] = []
        headers += [] if self.trace is None else [(TRACE, self.trace.encode())]
        return Message(
            topic=topic,
            partition=partition,
            offset=offset,
            key=self.key,
            value=self.value,
            headers=headers,
            timestamp=(TIMESTAMP_CREATE_TIME, self.sent_ms),
        )

    @classmethod
    def of(cls, message: Message) -> Ask | None:
        """What *message* of a retry topic asks for; None where it says nothing that can be."""
        try:
            pairs = headers_of(message) or ()
            headers = {name: (value or b"").decode() for name, value in pairs}
            topic, partition, offset = json.loads(headers[ORIGIN])
            published = json.loads(headers.get(PUBLISHED, "[]"))
            return cls(
                origin=(str(topic), whole(partition, 31), whole(offset, 63)),
                key=message.key(),
                value=message.value(),
                sent_ms=whole(headers[SENT], 43),
                trace=headers.get(TRACE),
                only=headers.get(ONLY),
                published=tuple(map(str, published)),
                attempt=place(message)[2],
            )
        except (KeyError, TypeError, ValueError):
            return None


class Retries:
    """Reads the retry topic of an input port by the *intake* of that port."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._topic = intake.source.contract.topic

    def arrivals(self, messages: Sequence[Message]) -> list[Arrival]:
        """What is asked for, one arrival an output port, and last one for all of them."""
        asks, faults = {}, {}
        for number, message in enumerate(messages):
            ask = Ask.of(message)
            if ask is None or ask.origin[0] != self._topic:
                reason = f"it does not say which message of {self._topic} it repeats"
                faults[number] = Fault(field=None, rule="message", reason=reason)
            else:
                # Asked twice, the last one stands for both.
                asks[ask.only or "", ask.origin] = ask
        found = [self._arrival(each) for each in grouped(list(asks.values()))]
        if faults:
            junk = of_messages(messages, causes_of(messages, is_traced=False), faults)
            found.insert(0, replace(self._intake.read([]), rejections=tuple(junk)))
        return found

    def _arrival(self, asks: list[Ask]) -> Arrival:
        """Asks for the same port, in the order in which the originals stood."""
        attempts = {each.origin: each.attempt for each in asks}
        found = self._intake.read([each.message() for each in asks])
        rejections = [
            replace(each, attempt=attempts[each.topic, each.partition, each.offset])
            for each in found.rejections
        ]
        return replace(found, asks=tuple(asks), only=asks[0].only, rejections=tuple(rejections))


def grouped(asks: list[Ask]) -> Iterator[list[Ask]]:
    """*asks* by the port they are for, those for all ports last, each in order of origin."""
    asks.sort(key=lambda each: (each.only is None, each.only or "", each.origin))
    for _, group in groupby(asks, key=lambda each: each.only):
        yield list(group)


def whole(value: object, bits: int) -> int:
    """*value* as a whole number of so many bits. Raises `ValueError` where it is none."""
    number = int(str(value))
    if not 0 <= number < 2**bits:
        raise ValueError(f"{number} is out of range")
    return number


def in_turn(
    drained: Mapping[str, list[Message]], retries: Collection[str]
) -> Iterator[dict[str, list[Message]]]:
    """What came, and then each of the *retries*: a deletion that came with them is known then."""
    first = {topic: each for topic, each in drained.items() if topic not in retries}
    yield from [first] if first else []
    yield from ({topic: each} for topic, each in drained.items() if topic in retries)


def retry_contract(source: Input) -> Contract:
    """What `Inputs` must know of the retry topic of *source*."""
    return replace(source.contract, topic=source.retry_topic, partitions=1)


def by_topic(intakes: Sequence[Intake]) -> dict[str, Intake | Retries]:
    """What reads each topic of a product: the inputs' *intakes*, and those of their retries."""
    found: dict[str, Intake | Retries] = {}
    for each in intakes:
        found[each.source.contract.topic] = each
        if each.source.member is None:
            found[each.source.retry_topic] = Retries(each)
    return found
