"""The book of evidence: what was seen of every product, and where that puts each.

    book = EvidenceBook()
    book.see(product, look(client, product, address, clock.now()))
    book.standing(product, clock.now())

What outlives the process waits in `waiting`, for whoever writes it. Any thread may ask.
Not here: the rungs (`mesh.contract.ladder`), who looks (`observing`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from catalog.evidence_records import read_delivery, read_sight, read_trial, record_of
from catalog.looks import Look
from catalog.seen import Seen
from catalog.shelf import Observed
from mesh.contract.ladder import Delivery, Sight, Standing, Trial, standing
from mesh.contract.levels import outside
from mesh.contract.model import Product
from mesh.contract.sla import sla_of

__all__ = ["EvidenceBook"]

MOST_WAITING = 20_000
# A standing is computed anew after so long, though nothing new was seen: evidence goes stale.
STANDS = timedelta(seconds=60)
NO_TIME = timedelta()
Record = tuple[str, Mapping[str, Any]]


class EvidenceBook:
    """Everything that was seen, by product."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._seen: dict[str, Seen] = {}
        self._standings: dict[str, tuple[datetime, Product, Standing]] = {}
        self.waiting: deque[Record] = deque(maxlen=MOST_WAITING)
        self.generation = 0

    def __len__(self) -> int:
        """Of how many products something was seen."""
        return len(self._seen)

    def see(self, product: Product, look: Look, ahead: timedelta = NO_TIME) -> None:
        """Take in a look; *ahead* is how far the clock had been moved by then."""
        with self._lock:
            seen = self._of(product.id)
            before, observed = seen.observed, look.observed
            if (at := observed.last_arrival_at) and (seen.arrival is None or seen.arrival[0] != at):
                seen.arrival = (at, at + ahead)
            observed = replace(observed, last_arrival_at=seen.arrival and seen.arrival[1])
            came = counted(seen, look)
            seen.observed = observed
            self._deliver(product, look, ahead, arrived_at(product, before, observed, came))
            sight = Sight(
                at=observed.observed_at,
                state=observed.state,
                lag=observed.lag,
                freshness_s=observed.freshness_s,
                last_arrival_at=observed.last_arrival_at,
                taken_in=seen.messages or 0,
                rejected=seen.rejected,
            )
            levels = [sla_of(each.contract) for each in product.outputs]
            is_inside = not outside(levels, sight)
            if seen.add(sight, is_inside=is_inside):
                more = {"rejected_now": seen.rejected_now, "is_inside": is_inside}
                self._wait(product.id, record_of("sight", sight, **more))
            self._changed(product.id)

    def tried(self, product: str, trial: Trial) -> None:
        """Take in a test of a contract on real data."""
        with self._lock:
            seen = self._of(product)
            seen.test(trial)
            seen.troubles.pop(trial.port, None)
            self._wait(product, record_of("trial", trial))
            self._changed(product)

    def not_tried(self, product: str, port: str, why: str) -> bool:
        """Take note of why a port could not be tested; whether that is news."""
        with self._lock:
            troubles = self._of(product).troubles
            is_news = troubles.get(port) != why
            troubles[port] = why
            return is_news

    def read_by(self, product: str, reader: str, at: datetime, ahead: timedelta) -> None:
        """Take note of the last time that somebody was seen to read a product, as it was said."""
        with self._lock:
            seen = self._of(product)
            if seen.read.get(reader) != at:
                seen.read[reader] = at
                seen.readers[reader] = at + ahead
                self._changed(product)

    def keep_only(self, products: Collection[str]) -> None:
        """Forget the others."""
        with self._lock:
            for id_ in self._seen.keys() - set(products):
                self.forget(id_)

    def forget(self, product: str) -> None:
        """Forget one product."""
        with self._lock:
            self._seen.pop(product, None)
            self._changed(product)

    def restore(self, product: str, observation: Mapping[str, Any]) -> None:
        """Take back one record. Raises `ValueError`, `KeyError` or `TypeError` for none of ours."""
        with self._lock:
            seen = self._of(product)
            if observation["kind"] == "sight":
                sight, is_inside = read_sight(observation)
                seen.add(sight, is_inside=is_inside)
                seen.messages, seen.rejected = sight.taken_in or seen.messages, sight.rejected
                seen.rejected_now = observation["rejected_now"]
                if (at := sight.last_arrival_at) is not None:
                    seen.arrival = (at, at)
            elif observation["kind"] == "delivery":
                delivery = read_delivery(observation)
                seen.deliver(delivery)
                seen.messages = observation["messages"]
                if observation["is_told"]:
                    seen.told[delivery.port] = delivery.at
            elif observation["kind"] == "trial":
                seen.test(read_trial(observation))
            self._changed(product)

    def standing(self, product: Product, now: datetime) -> Standing | None:
        """Where *product* stands as of *now*; None where nobody has looked yet."""
        with self._lock:
            seen, known = self._seen.get(product.id), self._standings.get(product.id)
            if seen is None:
                return None
            if known is not None and known[1] is product and now - known[0] < STANDS:
                return known[2]
            evidence, version = seen.evidence, seen.version
        found = standing(product, evidence, now)
        with self._lock:
            if self._seen.get(product.id) is seen and seen.version == version:
                self._standings[product.id] = (now, product, found)
        return found

    def seen(self, product: str) -> Seen:
        """What was seen of a product: to be looked at, by who holds nothing for long."""
        with self._lock:
            return self._seen.get(product) or Seen()

    def history(self, product: str) -> tuple[Observed, ...]:
        """The looks at a product that are left, older first."""
        with self._lock:
            sights = self.seen(product).sights
        return tuple(
            Observed(
                observed_at=each.at,
                state=each.state,
                is_reached=each.state != "absent",
                lag=each.lag,
                freshness_s=each.freshness_s,
                last_arrival_at=each.last_arrival_at,
                rejected=each.rejected,
            )
            for each in sights
        )

    def tests(self, product: str) -> tuple[Trial, ...]:
        """The tests of a product, the newest first."""
        with self._lock:
            found = self.seen(product).evidence.tests
        return tuple(sorted(found, key=lambda each: each.at, reverse=True))

    def _of(self, product: str) -> Seen:
        return self._seen.setdefault(product, Seen())

    def _changed(self, product: str) -> None:
        self._standings.pop(product, None)
        self.generation += 1
        if product in self._seen:
            self._seen[product].version += 1

    def _wait(self, product: str, record: Mapping[str, Any]) -> None:
        self.waiting.append((product, record))

    def _deliver(
        self, product: Product, look: Look, ahead: timedelta, arrived: Mapping[str, datetime]
    ) -> None:
        """What was delivered: to batch ports as they tell it, to streams as far as it was seen."""
        seen = self._of(product.id)
        for each in look.deliveries:
            if each.port not in seen.told or each.at > seen.told[each.port]:
                seen.told[each.port] = each.at
                found = replace(each, at=each.at + ahead)
                seen.deliver(found)
                self._wait(product.id, delivered(found, seen, is_told=True))
        for port, at in arrived.items():
            found = Delivery(port=port, at=at, rows=look.observed.rows.get(port, 0))
            if seen.deliver(found):
                self._wait(product.id, delivered(found, seen, is_told=False))


def delivered(delivery: Delivery, seen: Seen, *, is_told: bool) -> Mapping[str, Any]:
    """The record of a delivery, with the messages until then: none of them may count again."""
    return record_of("delivery", delivery, is_told=is_told, messages=seen.messages)


def counted(seen: Seen, look: Look) -> int:
    """Count messages and what was set aside on; how many good messages came since.

    A storage that is made anew counts from nothing, and reads again what it had read: only what
    goes beyond is news.
    """
    if not look.observed.is_reached:
        return 0
    aside = look.observed.count_aside
    before = aside if seen.rejected_now is None else seen.rejected_now
    bad = aside - before if aside >= before else aside
    seen.rejected += bad if seen.rejected_now is not None else aside
    seen.rejected_now = aside
    if look.taken_in is None:
        return 0
    came = max(0, look.taken_in - (seen.messages or 0))
    seen.messages = max(look.taken_in, seen.messages or 0)
    return came - bad


def arrived_at(
    product: Product, before: Observed | None, observed: Observed, came: int
) -> dict[str, datetime]:
    """The ports that stream to which data came since the look before, and when."""
    if came <= 0:
        return {}
    at = min(observed.last_arrival_at or observed.observed_at, observed.observed_at)
    rows = before.rows if before is not None else {}
    ports = [each for each in product.outputs if each.contract.is_streamed]
    changed = [each for each in ports if observed.rows.get(each.name, 0) != rows.get(each.name, 0)]
    # A state port may change within its rows alone.
    states = [each for each in ports if each.contract.kind == "state"]
    return {each.name: at for each in changed or states if observed.rows.get(each.name)}
