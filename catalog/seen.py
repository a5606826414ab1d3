"""What was seen of one product: bounded, and thinner the older it is.

Of the last hour every look stays, of the time before one in ten minutes and each change; no more
than eight days of it. Not here: the products together (`evidence`), where it is kept (`kept`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from catalog.shelf import Observed
from mesh.contract.ladder import Delivery, Evidence, Sight, Trial

__all__ = ["FRESH", "KEPT", "MARK", "Seen"]

# Shorter than a sight holds, so that what is left of a good day still covers it.
MARK = timedelta(minutes=10)
FRESH = timedelta(hours=1)
KEPT = timedelta(days=8)
MOST_SIGHTS, MOST_DELIVERIES, MOST_TESTS = 3000, 8, 10


@dataclass(slots=True)
class Seen:
    """All of one product. *messages* and *rejected* never fall, though a storage is made anew.

    *told* has the newest delivery that the product itself told of, by port, *read* what the
    lineage said of each reader last; both as they were said, though the clock were moved.
    """

    observed: Observed | None = None
    messages: int | None = None
    rejected: int = 0
    rejected_now: int | None = None
    arrival: tuple[datetime, datetime] | None = None
    told: dict[str, datetime] = field(default_factory=dict)
    read: dict[str, datetime] = field(default_factory=dict)
    readers: dict[str, datetime] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    deliveries: dict[str, deque[Delivery]] = field(default_factory=dict)
    tests: dict[str, deque[Trial]] = field(default_factory=dict)
    _old: deque[Sight] = field(default_factory=lambda: deque(maxlen=MOST_SIGHTS))
    _fresh: deque[tuple[Sight, bool]] = field(default_factory=lambda: deque(maxlen=MOST_SIGHTS))
    _mark: tuple[datetime, str, bool] | None = None
    _marked: dict[str, datetime] = field(default_factory=dict)
    version: int = 0

    def add(self, sight: Sight, *, is_inside: bool) -> bool:
        """Take in a sight; whether it is one that stays when it is old."""
        before = self._mark
        is_mark = (
            before is None or before[1:] != (sight.state, is_inside) or sight.at - before[0] >= MARK
        )
        if is_mark:
            self._mark = (sight.at, sight.state, is_inside)
        self._fresh.append((sight, is_mark))
        while sight.at - self._fresh[0][0].at > FRESH:
            old, stays = self._fresh.popleft()
            if stays:
                self._old.append(old)
        while self._old and sight.at - self._old[0].at > KEPT:
            self._old.popleft()
        return is_mark

    def deliver(self, delivery: Delivery) -> bool:
        """Take in a delivery; whether it is to be kept, as not each of a stream has to be."""
        known = self.deliveries.setdefault(delivery.port, deque(maxlen=MOST_DELIVERIES))
        known.append(delivery)
        last = self._marked.get(delivery.port)
        if len(known) > 2 and last is not None and delivery.at - last < MARK:
            return False
        self._marked[delivery.port] = delivery.at
        return True

    def test(self, trial: Trial) -> None:
        """Take in a test."""
        self.tests.setdefault(trial.port, deque(maxlen=MOST_TESTS)).append(trial)

    @property
    def sights(self) -> tuple[Sight, ...]:
        """What is left of all looks, older first."""
        return (*self._old, *(each for each, _ in self._fresh))

    @property
    def evidence(self) -> Evidence:
        """All of it as the ladder reads it."""
        return Evidence(
            deliveries=tuple(each for port in self.deliveries.values() for each in port),
            tests=tuple(each for port in self.tests.values() for each in port),
            sights=self.sights,
            readers=MappingProxyType(dict(self.readers)),
        )

    def newest(self) -> Mapping[str, Trial]:
        """The last test of each port."""
        return {port: found[-1] for port, found in self.tests.items()}
