"""Looks at every accepted product again and again, and tests its contracts on its real data.

What it sees goes to the book of evidence, and from there to Kafka; what a moved clock saw does
not, so that no drill becomes evidence. Not here: one look (`looks`), one test (`trying`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from catalog.clock import Clock
from catalog.evidence import EvidenceBook
from catalog.ladder_kept import Write
from catalog.lineage import Book
from catalog.looks import Look, look
from catalog.repeating import beside, repeat
from catalog.seen import Seen
from catalog.trying import try_port
from mesh.contract.ladder import Trial, digest_of
from mesh.contract.model import Contract, Product
from mesh.errors import MeshError, WrongUse

__all__ = ["Observer", "client_for_doors", "observing"]

# A turn begins so often, and the more products there are, the rarer.
EVERY_S, EVERY_PRODUCT_S = 5.0, 0.1
AT_ONCE = 8
TIMEOUT = httpx.Timeout(5.0, connect=2.0)
# A test holds for 26 hours; one that failed is tried again soon, for its owner is at it.
TEST_AGAIN, MEND_AGAIN = timedelta(hours=1), timedelta(minutes=1)
# What of a turn may go into tests; what is left is tested in the next.
TESTS_S = 10.0


@dataclass(slots=True, kw_only=True)
class Observer:
    """Who looks. *products* gives those that are accepted, *door* where each is to be asked."""

    products: Callable[[], Mapping[str, Product]]
    door: Callable[[str], str | None]
    book: EvidenceBook
    lineage: Book
    clock: Clock
    write: Write
    token: Callable[[str], str]
    client: httpx.Client
    log: Callable[[str], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)
    _turns: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Look until `stop` is set."""

        def tell(why: str) -> None:
            self.log(f"products were not all looked at: {why}")

        repeat(self.turn, lambda: EVERY_S + EVERY_PRODUCT_S * len(self.book), self.stop, tell)

    def turn(self, only: Collection[str] = ()) -> None:
        """Look at each product once, or *only* at some; test what is due, keep what was seen."""
        with self._turns:
            products = self.products()
            self.book.keep_only(products)
            ahead = self.clock.ahead
            chosen = [each for name, each in products.items() if not only or name in only]
            with ThreadPoolExecutor(AT_ONCE, "looks") as pool:
                for product, found in pool.map(self._look, chosen):
                    self.book.see(product, found, ahead)
                    # At once, so that no page ever has many to compute.
                    self.book.standing(product, self.clock.now())
            self._note_readers(products, ahead)
            self._test(chosen)
            for each in chosen:
                self.book.standing(each, self.clock.now())
            self._keep()

    def drill(self, by: timedelta, every: timedelta, only: Collection[str] = ()) -> int:
        """Move the clock ahead in steps, and look after each; how many looks that were.

        Where it looks at some products *only*, nothing is seen of the others meanwhile. Raises
        `WrongUse` where one of these is none.
        """
        if unknown := [each for each in only if each not in self.products()]:
            raise WrongUse(f"there is no product {unknown[0]!r}: `/ladder` lists all")
        count = 0
        end = self.clock.now() + by
        self.turn()
        while (left := end - self.clock.now()) > timedelta():
            with self._turns:
                self.clock.move(min(left, every))
            self.turn(only)
            count += 1
        return count

    def _look(self, product: Product) -> tuple[Product, Look]:
        return product, look(self.client, product, self.door(product.id), self.clock.now())

    def _note_readers(self, products: Mapping[str, Product], ahead: timedelta) -> None:
        """Who was seen to read what, by the lineage."""
        writers = {port.contract.id: each.id for each in products.values() for port in each.outputs}
        for each in self.lineage.sightings():
            writer = writers.get(each.source)
            if writer is not None and writer != each.target:
                self.book.read_by(writer, each.target, each.at, ahead)

    def _test(self, products: Iterable[Product]) -> None:
        """Test what is due, for a while."""
        end = time.monotonic() + TESTS_S
        for product, contract in self._due(products):
            if time.monotonic() > end or self.stop.is_set():
                return
            self._try(product, contract)

    def _due(self, products: Iterable[Product]) -> Iterator[tuple[Product, Contract]]:
        """The contracts whose test is due, those first that were never tested."""
        found = []
        now = self.clock.now()
        for product in products:
            seen = self.book.seen(product.id)
            if seen.observed is None or not seen.observed.is_reached:
                continue
            newest = seen.newest()
            for port in product.outputs:
                last = newest.get(port.name)
                if is_due(port.contract, seen, last, now):
                    found.append((last is not None, product, port.contract))
        for _, product, contract in sorted(found, key=lambda each: each[0]):
            yield product, contract

    def _try(self, product: Product, contract: Contract) -> None:
        address = self.door(product.id)
        if address is None:
            return
        try:
            token = self.token(product.id)
            trial = try_port(self.client, address, token, contract, self.clock.now())
        except MeshError as error:
            if self.book.not_tried(product.id, contract.port, str(error)):
                self.log(f"{contract.id} cannot be tested: {error}")
        else:
            self.book.tried(product.id, trial)
            self.book.standing(product, self.clock.now())

    def _keep(self) -> None:
        """Write what waits; what Kafka does not take waits on."""
        waiting = self.book.waiting
        while waiting:
            if not self.clock.is_moved:
                self.write(*waiting[0])
            waiting.popleft()


def is_due(contract: Contract, seen: Seen, last: Trial | None, now: datetime) -> bool:
    """Whether a contract is to be tested: for the first time, changed, or long ago."""
    if last is None or last.digest != digest_of(contract):
        return True
    if not last.rows:
        return bool(seen.observed and seen.observed.rows.get(contract.port))
    deliveries = seen.deliveries.get(contract.port)
    if not contract.is_streamed and deliveries and deliveries[-1].at > last.at:
        return True
    return now - last.at >= (MEND_AGAIN if last.broken else TEST_AGAIN)


def client_for_doors() -> httpx.Client:
    """A client that asks doors, several at once."""
    return httpx.Client(timeout=TIMEOUT, trust_env=False)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Look for the time of a block."""
    with closing(observer.client), beside(observer.run, observer.stop):
        yield
