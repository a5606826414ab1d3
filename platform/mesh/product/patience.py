"""Notices a Kafka that is there and does not answer: frozen, not gone.

Such a broker breaks no connection, so that librdkafka waits for a minute. Two ways, since the
loop of a product waits in two ways: a publication that takes too long is seen by whoever asks
for its status; where nothing arrives, the loop asks the broker itself. What is waited for is
never given up here, and a commit least of all.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException

from mesh.errors import Unreachable

__all__ = ["Patience", "ask"]

# Together below ten seconds.
QUIET_S, ANSWER_S = 2.0, 5.0
# A publication takes milliseconds, and a large one at the broker's slowest some seconds.
PUBLISH_S = 8.0


class Patience:
    """Since when one product waits for Kafka. `complaint` may be called by any thread."""

    def __init__(self) -> None:
        self._asked_at: float | None = None
        self._heard_at = time.monotonic()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The time of a block that waits for an answer, however long it takes."""
        self._asked_at = time.monotonic()
        try:
            yield
        finally:
            self._asked_at = None
            self.heard()

    def heard(self) -> None:
        """Kafka has just answered."""
        self._heard_at = time.monotonic()

    def is_quiet(self) -> bool:
        """Whether nothing was heard for so long that Kafka should be asked; once in that time."""
        if time.monotonic() - self._heard_at < QUIET_S:
            return False
        self.heard()
        return True

    def complaint(self) -> str:
        """What is waited for too long; empty if nothing is."""
        asked_at = self._asked_at
        waited_s = 0.0 if asked_at is None else time.monotonic() - asked_at
        return f"Kafka has not answered for {waited_s:.0f} s" if waited_s > PUBLISH_S else ""


def ask(consumers: Iterable[Consumer]) -> None:
    """Have the broker answer each of *consumers*. Raises `Unreachable` if it does not, in seconds.

    One partition's leader is asked: what a dead one among several leaves is Kafka's to mend.
    """
    for consumer in consumers:
        try:
            consumer.get_watermark_offsets(consumer.assignment()[0], ANSWER_S, cached=False)
        except KafkaException as exception:
            error = exception.args[0]
            raise Unreachable(f"Kafka does not answer ({error.str()})") from exception
