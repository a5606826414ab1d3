"""Follows the descriptor topics of all products: the way in by event.

Who wrote a message is known by its topic, which only that product may write. Not here: what
becomes of a descriptor (`desk`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from confluent_kafka import OFFSET_STORED, Consumer, KafkaException, Message, TopicPartition

from catalog.desk import Desk
from catalog.verdict import Found, Verdict
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded
from mesh.backbone.registry import Registry
from mesh.backbone.wire import Unreadable, unframe
from mesh.contract.catalogue import DESCRIPTOR_SCHEMA, descriptor_topic
from mesh.contract.descriptor import Descriptor
from mesh.contract.names import parse_topic
from mesh.errors import MeshError

__all__ = ["Domains", "Intake", "descriptor_of"]

PORT = "descriptor"
LOOK_S = 1.0
REST_S = 2.0
Log = Callable[[str], None]


class Domains:
    """Which principals may describe a product, and of which domain each is.

    The topics say so, as far as the broker lets the catalogue see them.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._found: Mapping[str, str] = MappingProxyType({})
        self._at = float("-inf")

    def __call__(self, age_s: float = LOOK_S, /) -> Mapping[str, str]:
        """The domain of each principal, by its name; at most *age_s* old."""
        with self._lock:
            if time.monotonic() - self._at > age_s:
                try:
                    self._found = domains_in(self._consumer.list_topics(timeout=10).topics)
                    self._at = time.monotonic()
                except KafkaException:
                    pass  # what was true when Kafka answered last
            return self._found


def domains_in(topics: Mapping[str, object]) -> Mapping[str, str]:
    """The domain of each product that has a descriptor topic."""
    names = [name for each in topics if (name := parse_topic(each))]
    return {
        each.product: each.domain
        for each in names
        if each.visibility == "priv" and each.port == PORT
    }


class Intake:
    """Hands every descriptor that comes to the desk, in the order of its topic."""

    def __init__(self, endpoint: Endpoint, principal: Principal, desk: Desk, log: Log) -> None:
        self._endpoint, self._desk, self._log = endpoint, desk, log
        self._consumer = Consumer(
            {
                **endpoint.client(principal),
                "group.id": f"{principal.name}.descriptors",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        self._assigned: set[str] = set()
        self._schema_id: int | None = None

    def run(self, stop: threading.Event) -> None:
        """Take in until *stop* is set; what stands in the way is waited out."""
        while not stop.is_set():
            try:
                self._follow()
                message = self._consumer.poll(0.2)
                if message is not None and message.error() is None:
                    self._take(message)
                    self._consumer.commit(message=message, asynchronous=False)
            except (MeshError, KafkaException) as error:
                self._log(f"descriptors wait: {error}")
                self._assigned = set()  # from what was committed last
                stop.wait(REST_S)
        self._consumer.close()

    def _follow(self) -> None:
        """Follow the topics that are new."""
        wanted = {descriptor_topic(domain, id_) for id_, domain in self._desk.domains().items()}
        if wanted != self._assigned:
            self._consumer.assign([TopicPartition(each, 0, OFFSET_STORED) for each in wanted])
            self._assigned = wanted

    def _take(self, message: Message) -> None:
        name = parse_topic(str(message.topic()))
        if name is None:
            return
        value = message.value()
        if value is None:
            self._tell(self._desk.withdraw(name.product, "event"))
            return
        place = f"{message.topic()}/{message.partition()}@{message.offset()}"
        try:
            descriptor = descriptor_of(value, self._known_schema(str(message.topic())))
        except ValueError as error:
            found = Found(
                level="error",
                rule="descriptor",
                place=place,
                problem=str(error),
                remedy=f"write the schema that is registered as {message.topic()}-value",
            )
            self._tell(self._desk.refuse(name.product, "event", found))
            return
        if descriptor.id != name.product:
            problem = f"the descriptor says {descriptor.id[:80]!r}, the topic {name.product}"
            remedy = "describe the product whose topic it is"
            found = Found(
                level="error", rule="identity", place=place, problem=problem, remedy=remedy
            )
            self._tell(self._desk.refuse(name.product, "event", found))
            return
        self._tell(self._desk.submit(descriptor, "event"))

    def _known_schema(self, topic: str) -> int:
        if self._schema_id is None:
            with Registry(self._endpoint) as registry:
                self._schema_id = registry.find(f"{topic}-value", DESCRIPTOR_SCHEMA)
        return -1 if self._schema_id is None else self._schema_id

    def _tell(self, verdict: Verdict) -> None:
        self._log(f"{verdict.id} is {verdict.state}, by event")


def descriptor_of(value: bytes, schema_id: int) -> Descriptor:
    """The descriptor in a message. Raises `ValueError` with the reason where there is none.

    Only the registered schema is read: another's could ask for work without end.
    """
    found = unframe(value)
    if not isinstance(found, Unreadable) and found[0] != schema_id:
        raise ValueError(f"it was written by schema {found[0]}, and descriptors have {schema_id}")
    record = decoded(value, DESCRIPTOR_SCHEMA)
    return Descriptor(
        id=record["id"],
        product=record["product"],
        contracts=tuple(record["contracts"]),
        sql=record["sql"],
    )
