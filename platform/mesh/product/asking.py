"""Asks a product to take in what it has set aside: writes its retry topics, as its principal.

Whether it may, the product judges itself when it comes to it (`replays`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, groupby

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.wire import CE_ID
from mesh.errors import Unreachable
from mesh.product.causes import headers_of, trace_of
from mesh.product.plan import Input, Output, Plan
from mesh.product.quarantine import Entry, Name, Quarantine
from mesh.product.readback import read_back, reader
from mesh.product.retry import Ask, Place

__all__ = ["Asking"]

FETCH_TIMEOUT_S, SEND_TIMEOUT_S = 15.0, 60.0
# Of one cause, rows and rejections are one transaction, and clocks are not this far apart.
SLACK_MS = 60 * 60 * 1000
CUT = "only a part of it is kept: have it sent again by whoever sent it"
STATE = "a state port is computed anew by itself: mend its SQL or contract, start the product again"
MEMBER = "it is a statement of another product: have that one state it anew"
UNKNOWN = "the port or what it reads is another by now: have it sent again by whoever sent it"
GONE = "what caused it is no longer on its topic: have it sent again by whoever sent it"


class Asking:
    """Asks for entries of *quarantine*; *principal* is the product's own."""

    def __init__(
        self, plan: Plan, quarantine: Quarantine, endpoint: Endpoint, principal: Principal
    ) -> None:
        self._plan, self._quarantine = plan, quarantine
        self._endpoint, self._principal = endpoint, principal
        self._inputs = {each.contract.id: each for each in plan.replayable}
        self._members = {each.contract.id for each in plan.inputs if each.member is not None}
        self._events = {(e.contract.id, e.source.contract.topic): e for e in plan.events}
        self._event_ports = {each.contract.id for each in plan.events}

    def ask(self, entries: Sequence[Entry]) -> dict[str, str]:
        """Ask for *entries*; why not, by id, for those that cannot be replayed.

        What is written is kept no longer than the rejection. Raises a `BackboneError` where
        Kafka is away or refuses; asked again, what got through already is not taken in twice.
        """
        refused = {each.id: why for each in entries if (why := self._refusal(each)) is not None}
        wanted = {each.name: each for each in entries if each.id not in refused}
        sender = Sender(self._endpoint, self._principal)
        for ask, source in chain(self._of_inputs(wanted), self._of_outputs(wanted)):
            entry = wanted.pop((ask.only or source.contract.id, ask.origin))
            sender.send(source.retry_topic, ask, entry)
        refused |= sender.end()
        return refused | {each.id: GONE for each in wanted.values()}

    def has_taken_all(self) -> bool:
        """Whether the product has judged whatever it was asked."""
        position = self._quarantine.position()
        done = position.offsets if position else {}
        consumer = reader(self._endpoint, self._principal, "asking")
        try:
            for source in self._plan.replayable:
                place = TopicPartition(source.retry_topic, 0)
                _, end = consumer.get_watermark_offsets(place, FETCH_TIMEOUT_S, cached=False)
                if done.get(source.retry_topic, {}).get(0, 0) < end:
                    return False
        except KafkaException as exception:
            raise kafka_error(exception.args[0], "read the retry topics") from exception
        finally:
            consumer.close()
        return True

    def _refusal(self, entry: Entry) -> str | None:
        """Why *entry* cannot be asked for, if so."""
        if entry.port in {each.contract.id for each in self._plan.states}:
            return STATE
        if entry.port in self._event_ports:
            return None if (entry.port, entry.origin[0]) in self._events else UNKNOWN
        if entry.port in self._members:
            return MEMBER
        if entry.port not in self._inputs:
            return UNKNOWN
        if entry.origin[0] != self._inputs[entry.port].contract.topic:
            return UNKNOWN
        return None if entry.is_whole else CUT

    def _of_inputs(self, wanted: Mapping[Name, Entry]) -> Iterator[tuple[Ask, Input]]:
        """Messages that an input port set aside: the rejected topic has them."""
        names = {name for name in wanted if name[0] in self._inputs}
        for each in self._quarantine.originals(names) if names else ():
            ask = Ask(
                origin=each.name[1],
                key=each.key,
                value=each.value,
                sent_ms=int(each.sent_at.timestamp() * 1000),
                trace=each.trace,
            )
            yield ask, self._inputs[each.name[0]]

    def _of_outputs(self, wanted: Mapping[Name, Entry]) -> Iterator[tuple[Ask, Input]]:
        """Messages of which an output port refused rows: their own topic has them."""
        for (port, topic), output in self._events.items():
            entries = {
                origin: each
                for (name, origin), each in wanted.items()
                if (name, origin[0]) == (port, topic)
            }
            if not entries:
                continue
            published = self._published(output, entries)
            for place, message in self._messages(sorted(entries)):
                ask = Ask(
                    origin=place,
                    key=message.key(),
                    value=message.value(),
                    sent_ms=max(0, message.timestamp()[1]),
                    trace=trace_of(message),
                    only=port,
                    published=tuple(published.get(place, ())),
                )
                yield ask, output.source

    def _messages(self, places: Sequence[Place]) -> Iterator[tuple[Place, Message]]:
        """The messages that are still at *places*, which are in order."""
        consumer = reader(self._endpoint, self._principal, "asking")
        try:
            for (topic, partition), group in groupby(places, key=lambda each: each[:2]):
                for _, _, offset in group:
                    consumer.assign([TopicPartition(topic, partition, offset)])
                    message = consumer.poll(FETCH_TIMEOUT_S)
                    if message is None:
                        raise Unreachable(f"Kafka did not answer while {topic} was read")
                    error = message.error()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        raise kafka_error(error, f"read {topic}")
                    if error is None and message.offset() == offset:
                        yield (topic, partition, offset), message
        except KafkaException as exception:
            raise kafka_error(exception.args[0], "read what was set aside") from exception
        finally:
            consumer.close()

    def _published(
        self, output: Output, entries: Mapping[Place, Entry]
    ) -> Mapping[Place, list[str]]:
        """The keys of the rows that the same causes have on the port's topic."""
        # A query that fails for a row makes none of it.
        partly = {
            place: each
            for place, each in entries.items()
            if (each.rule, each.state) != ("sql", "waiting")
        }
        if not partly:
            return {}
        names = {"/".join(map(str, place)): place for place in partly}
        first = min(each.rejected_at for each in partly.values())
        since = int(first.timestamp() * 1000) - SLACK_MS
        found: dict[Place, list[str]] = {}
        topic = output.contract.topic
        for chunk in read_back(self._endpoint, self._principal, topic, since_ms=since):
            for message in chunk:
                place = names.get(cause_of(message))
                if place is not None and message.value() is not None:
                    found.setdefault(place, []).append((message.key() or b"").decode())
        return found


class Sender:
    """Writes asks; what becomes of each is known at the `end`."""

    def __init__(self, endpoint: Endpoint, principal: Principal) -> None:
        self._refused: dict[str, str] = {}
        self._errors: list[KafkaError] = []
        self._producer = Producer(
            {
                **endpoint.client(principal),
                "enable.idempotence": True,
                "compression.type": "lz4",
                # So that it is the broker who says what is too large.
                "message.max.bytes": 2_000_000,
            }
        )

    def send(self, topic: str, ask: Ask, entry: Entry) -> None:
        """Write one ask; waits while the local queue is full."""

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                return
            if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                self._refused[entry.id] = CUT
            else:
                self._errors.append(error)

        while True:
            try:
                self._producer.produce(
                    topic,
                    partition=0,
                    key=ask.key,
                    value=ask.value,
                    headers=list(ask.headers()),
                    timestamp=int(entry.rejected_at.timestamp() * 1000),
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def end(self) -> dict[str, str]:
        """Why not, by id, for what the broker would not take. Raises for all else."""
        if self._producer.flush(SEND_TIMEOUT_S) or self._errors:
            error = self._errors[0] if self._errors else KafkaError(KafkaError._TIMED_OUT)
            raise kafka_error(error, "write the retry topic")
        return self._refused


def cause_of(message: Message) -> str:
    """The part of an event's id that names its cause; empty where it has none."""
    for name, value in headers_of(message) or ():
        if name == CE_ID and isinstance(value, bytes):
            return value.decode("ascii", "replace").rpartition("/")[0]
    return ""
