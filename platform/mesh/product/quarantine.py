"""What a product has set aside, as its topics tell it, and what became of each.

The rejected topics say what was set aside and why, the retry topics what was asked for again,
and the position how far the product has come. Not here: asking for a replay (`asking`).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from confluent_kafka import KafkaException, Message

from mesh.backbone.admin import kafka_error
from mesh.backbone.avro import Decoder
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.registry import Registry
from mesh.backbone.topics import REJECTED_RETENTION_MS
from mesh.backbone.wire import Unreadable, unframe
from mesh.product.causes import trace_of
from mesh.product.offsets import place
from mesh.product.outbox import REJECTED_SCHEMA
from mesh.product.plan import Plan, position_topic
from mesh.product.position import Offsets, Position
from mesh.product.readback import read_back
from mesh.product.rejection import SUPERSEDED, is_cut
from mesh.product.relay import read_position
from mesh.product.retry import Ask, Place
from mesh.product.set_aside import digest

__all__ = ["Entry", "Name", "Original", "Quarantine", "State", "state_of"]

State = Literal["waiting", "asked", "replayed", "rejected again", "superseded"]
# A contract's id, and where the message stood.
Name = tuple[str, Place]
ID_LENGTH = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message that the contract *port* set aside: by which rule last, and its state."""

    product: str
    port: str
    origin: Place
    field: str | None
    rule: str
    reason: str
    rejected_at: datetime
    state: State
    is_whole: bool
    size: int
    key_digest: str | None

    @property
    def name(self) -> Name:
        """Port and origin, by which it is known within its product."""
        return self.port, self.origin

    @property
    def id(self) -> str:
        """What it is called by: made of product, port and origin."""
        return id_of(self.product, self.port, self.origin)

    @property
    def is_open(self) -> bool:
        """Whether it has not got through, and may still."""
        return self.state in ("waiting", "rejected again")

    def is_kept(self, now: datetime) -> bool:
        """Whether it is not older than a rejection may become, though it is still there."""
        return now - self.rejected_at < timedelta(milliseconds=REJECTED_RETENTION_MS)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A message as it came: what of an entry may be personal."""

    name: Name
    key: bytes | None = dataclasses.field(repr=False)
    value: bytes | None = dataclasses.field(repr=False)
    sent_at: datetime
    trace: str | None


class Quarantine:
    """Reads what the product of *plan* has set aside, as its *principal*."""

    def __init__(
        self, plan: Plan, endpoint: Endpoint, principal: Principal, registry: Registry
    ) -> None:
        self._plan, self._registry = plan, registry
        self._endpoint, self._principal = endpoint, principal
        self._decoders: dict[int, Decoder] = {}

    def position(self) -> Position | None:
        """What the product has published last."""
        topic = position_topic(self._plan.product)
        try:
            return read_position(self._endpoint, self._principal, topic)
        except KafkaException as exception:
            raise kafka_error(exception.args[0], f"read {topic}") from exception

    def entries(self, tell: Callable[[int], None] = lambda _: None) -> list[Entry]:
        """All entries, in the order in which they were set aside; *tell* is told how many.

        Raises a `BackboneError` where Kafka is away or a topic is not there.
        """
        # First, so that what was rejected before it is read.
        position = self.position()
        judged, asked = self._asks(position.offsets if position else {})
        found: dict[Name, Entry] = {}
        for _, row in self._rejections(tell):
            name = name_of(row)
            state = state_of(row, judged.get(name), is_asked=name in asked)
            last = {"field": row["field"], "rule": row["rule"], "reason": row["reason"]}
            if name in found:
                found[name] = dataclasses.replace(found[name], **last, state=state)
            elif row.get("attempt") is None:
                found[name] = self._entry(name, row, state)
        return list(found.values())

    def originals(self, names: Collection[Name]) -> Iterator[Original]:
        """The messages of entries with these *names*, as they came, each once."""
        left = set(names)
        for message, row in self._rejections(lambda _: None):
            if name_of(row) not in left or row.get("attempt") is not None:
                continue
            left.remove(name_of(row))
            yield Original(
                name=name_of(row),
                key=row["key"],
                value=row["value"],
                sent_at=row.get("sent_at") or row["rejected_at"],
                trace=trace_of(message),
            )

    def _entry(self, name: Name, row: Mapping[str, Any], state: State) -> Entry:
        return Entry(
            product=self._plan.product.id,
            port=name[0],
            origin=name[1],
            field=row["field"],
            rule=row["rule"],
            reason=row["reason"],
            rejected_at=row["rejected_at"],
            state=state,
            is_whole=not is_cut(row["reason"]),
            size=len(row["value"] or b""),
            key_digest=digest(row["key"]),
        )

    def _asks(self, done: Offsets) -> tuple[dict[Name, int], set[Name]]:
        """The last ask for each message that was judged, and those that wait to be."""
        judged: dict[Name, int] = {}
        waiting: set[Name] = set()
        for source in self._plan.replayable:
            end = done.get(source.retry_topic, {}).get(0, 0)
            for chunk in read_back(self._endpoint, self._principal, source.retry_topic):
                for ask in filter(None, map(Ask.of, chunk)):
                    name = (ask.only or source.contract.id, ask.origin)
                    if ask.attempt < end:
                        judged[name] = ask.attempt
                    else:
                        waiting.add(name)
        return judged, waiting

    def _rejections(self, tell: Callable[[int], None]) -> Iterator[tuple[Message, dict[str, Any]]]:
        """Every rejection on the rejected topics that can be read, with its message."""
        topics = [each.rejected_topic for each in self._plan.inputs]
        topics += [each.contract.rejected_topic for each in self._plan.outputs]
        count = 0
        for topic in dict.fromkeys(topics):
            for chunk in read_back(self._endpoint, self._principal, topic):
                count += len(chunk)
                tell(count)
                yield from self._decoded(chunk)

    def _decoded(self, messages: list[Message]) -> Iterator[tuple[Message, dict[str, Any]]]:
        groups: dict[int, list[tuple[Message, bytes]]] = {}
        for message in messages:
            framed = unframe(message.value() or b"")
            if not isinstance(framed, Unreadable):
                groups.setdefault(framed[0], []).append((message, framed[1]))
        rows = []
        for schema_id, group in groups.items():
            decoded = self._decoder(schema_id).decode([payload for _, payload in group])
            found = decoded.table.to_pylist()
            rows += [(group[n][0], row) for n, row in zip(decoded.good, found, strict=True)]
        # Of one message the last rejection counts, whatever schema the earlier ones had.
        yield from sorted(rows, key=lambda each: place(each[0]))

    def _decoder(self, schema_id: int) -> Decoder:
        if schema_id not in self._decoders:
            schema = self._registry.schema(schema_id)
            self._decoders[schema_id] = Decoder(schema or REJECTED_SCHEMA)
        return self._decoders[schema_id]


def name_of(row: Mapping[str, Any]) -> Name:
    """The port and the origin in a rejection."""
    return row["port"], (row["topic"], row["partition"], row["offset"])


def state_of(rejected: Mapping[str, Any], judged: int | None, *, is_asked: bool) -> State:
    """The state of a message, by its last rejection and the last ask that was judged.

    Whoever is asked for and then not rejected has got through.
    """
    attempt = rejected.get("attempt")
    if judged is not None and judged > (-1 if attempt is None else attempt):
        return "replayed"
    if rejected["rule"] == SUPERSEDED:
        return "superseded"
    if is_asked:
        return "asked"
    return "waiting" if attempt is None else "rejected again"


def id_of(product: str, port: str, origin: Place) -> str:
    """A short name for a message that *port* has set aside."""
    text = "\0".join((product, port, *map(str, origin)))
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]
