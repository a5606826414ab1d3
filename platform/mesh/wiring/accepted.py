"""Follows a compacted topic of the mesh's own: the newest record of each key, once it is whole.

Not here: what is made of them, by who lets products join (`joining`), by who reads whatever
relation there is (`mesh.product.family_watch`) and by doors (`granted`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded
from mesh.contract.catalogue import PRODUCT_SCHEMA, PRODUCTS_TOPIC
from mesh.contract.descriptor import from_canonical, materialise
from mesh.contract.model import Product
from mesh.contract.odps import load_product
from mesh.contract.project import Project
from mesh.errors import MeshError, Unreachable
from mesh.product.family_watch import FamilyWatch

__all__ = ["Following", "Records", "Relating", "products_of", "watching"]

# Whoever waits for it looks again, and may be told to stop meanwhile.
WHOLE_TIMEOUT_S = 2.0
Log = Callable[[str], None]
Records = Mapping[str, Mapping[str, Any]]


class Following:
    """One reader of *topic*, from its beginning. *next_offset* is what comes next."""

    def __init__(
        self,
        endpoint: Endpoint,
        principal: Principal,
        topic: str,
        log: Log,
        schema: Mapping[str, Any] = PRODUCT_SCHEMA,
    ) -> None:
        self._topic, self._log, self._schema = topic, log, schema
        self.next_offset = 0
        self._records: dict[str, Mapping[str, Any]] = {}
        self._is_whole = False
        self._consumer = Consumer(
            {
                **endpoint.client(principal),
                "group.id": f"{principal.name}.accepted",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
            }
        )

    def __enter__(self) -> Following:
        self._consumer.assign([TopicPartition(self._topic, 0, OFFSET_BEGINNING)])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._consumer.close()

    def look(self, timeout_s: float) -> Records | None:
        """The newest record of each key, or None until the topic was read to its end.

        Raises a `BackboneError` where Kafka refuses.
        """
        message = self._consumer.poll(timeout_s)
        while message is not None:
            failure = message.error()
            if failure is None:
                self._take((message.key() or b"").decode(errors="replace"), message.value())
                self.next_offset = int(message.offset() or 0) + 1
            elif failure.code() == KafkaError._PARTITION_EOF:
                self._is_whole = True
            elif not failure.retriable() and failure.code() != KafkaError._TRANSPORT:
                raise kafka_error(failure, f"read {self._topic}") from KafkaException(failure)
            message = self._consumer.poll(0)
        return dict(self._records) if self._is_whole else None

    def _take(self, key: str, value: bytes | None) -> None:
        self._records.pop(key, None)
        if value is None:
            return
        try:
            self._records[key] = decoded(value, self._schema)
        except ValueError as error:
            # One service alone writes here, and what it wrote wrongly is nobody's to serve.
            self._log(f"what {self._topic} says of {key} cannot be read: {error}")


class Relating:
    """The products that were accepted and state relations, as they are when it is called."""

    def __init__(self, following: Following, log: Log) -> None:
        self._following, self._log = following, log
        self._is_known = False
        self._digests: Mapping[str, str] = {}
        self._products: Mapping[str, Product] = MappingProxyType({})

    def __call__(self) -> Mapping[str, Product]:
        """The products by id. Raises `Unreachable` until the topic was read to its end."""
        records = self._look()
        # To read a descriptor takes longer than to see that no relation stands in it.
        stating = {id_: each for id_, each in records.items() if '"relation"' in each["descriptor"]}
        digests = {id_: str(each["digest"]) for id_, each in stating.items()}
        if digests != self._digests:
            self._products = {each.id: each for each in products_of(stating, self._log)}
            self._digests = digests
        return self._products

    def _look(self) -> Records:
        deadline = time.monotonic() + WHOLE_TIMEOUT_S
        while (records := self._following.look(0.0 if self._is_known else 0.1)) is None:
            if time.monotonic() > deadline:
                raise Unreachable(
                    "Kafka does not hand out the products that the catalogue accepted"
                )
        self._is_known = True
        return records


@contextmanager
def watching(
    project: Project, product: str, endpoint: Endpoint, principal: Principal, log: Log
) -> Iterator[FamilyWatch | None]:
    """Who looks out for the members of a product's families, where it has any."""
    if not any(port.family for port in project.product(product).inputs):
        yield None
        return
    with Following(endpoint, principal, PRODUCTS_TOPIC, log) as following:
        accepted = Relating(following, log)
        yield FamilyWatch(project, endpoint, principal, log=log, accepted=accepted)


def products_of(records: Records, log: Log) -> Iterator[Product]:
    """The products that accepted records make."""
    with tempfile.TemporaryDirectory(prefix="mesh-joining-") as name:
        for id_, record in sorted(records.items()):
            try:
                descriptor = from_canonical(id_, str(record["descriptor"]))
                folder = materialise(descriptor, Path(name))
                yield load_product(folder, needs_sql=False)
            except (MeshError, ValueError, KeyError) as error:
                log(f"{id_} was accepted and cannot be read: {error}")
