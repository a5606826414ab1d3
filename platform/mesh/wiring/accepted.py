"""Follows the topic of accepted products: the newest record of each, and when it is whole.

Not here: what is made of them (`joining`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from mesh.backbone.admin import kafka_error
from mesh.backbone.endpoint import Endpoint, Principal
from mesh.backbone.record import decoded
from mesh.contract.catalogue import PRODUCT_SCHEMA

__all__ = ["Following"]


class Following:
    """One reader of *topic*, from its beginning."""

    def __init__(
        self, endpoint: Endpoint, principal: Principal, topic: str, log: Callable[[str], None]
    ) -> None:
        self._topic, self._log = topic, log
        self._records: dict[str, Mapping[str, Any]] = {}
        self._is_whole = False
        self._consumer = Consumer(
            {
                **endpoint.client(principal),
                "group.id": f"{principal.name}.joining",
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

    def look(self, timeout_s: float) -> Mapping[str, Mapping[str, Any]] | None:
        """The newest record of each product, or None until the topic was read to its end.

        Raises a `BackboneError` where Kafka refuses.
        """
        message = self._consumer.poll(timeout_s)
        while message is not None:
            failure = message.error()
            if failure is None:
                self._take((message.key() or b"").decode(errors="replace"), message.value())
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
            self._records[key] = decoded(value, PRODUCT_SCHEMA)
        except ValueError as error:
            # The catalogue alone writes here, and what it wrote wrongly is nobody's to serve.
            self._log(f"what was accepted of {key} cannot be read: {error}")
