"""Asks each product at its door what its runs read and wrote, again and again.

A product that does not answer is asked again the next time; what it said before stays. Not here:
what is made of an event (`lineage`).
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx

from catalog.doors import body_at
from catalog.lineage import Book
from catalog.repeating import repeat
from mesh.errors import MeshError

__all__ = ["Watch"]

EVERY_S = 5.0
TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 8 << 20
PATH = "/observability/lineage"


class Watch:
    """*addresses* gives the doors by product id; *transport* is httpx's own but in tests."""

    def __init__(
        self,
        book: Book,
        addresses: Callable[[], Mapping[str, str]],
        log: Callable[[str], None] = lambda _: None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._book, self._addresses, self._log = book, addresses, log
        self._transport = transport
        self._taken: dict[str, set[str]] = {}
        self._said: dict[str, str] = {}

    def run(self, stop: threading.Event, every_s: float = EVERY_S) -> None:
        """Look until *stop* is set."""
        repeat(self.look, lambda: every_s, stop, partial(self._tell, "the products"))

    def look(self) -> None:
        """Ask every product once."""
        with httpx.Client(timeout=TIMEOUT_S, trust_env=False, transport=self._transport) as client:
            for product, address in sorted(self._addresses().items()):
                try:
                    self._take(product, events_at(client, address + PATH))
                except (httpx.HTTPError, MeshError, ValueError) as error:
                    self._tell(product, str(error))

    def _take(self, product: str, events: list[Any]) -> None:
        """Take in what has not been taken yet."""
        marks = {mark_of(each): each for each in events}
        before = self._taken.get(product, set())
        troubles, refused = [], set()
        for mark, each in marks.items():
            try:
                if mark not in before:
                    self._book.take(each, product)
            except MeshError as error:
                troubles.append(str(error))
                refused.add(mark)  # it is tried again: what stands in the way may go
        # What is no longer told is forgotten, so that the set stays as small as the answer.
        self._taken[product] = set(marks) - refused
        if troubles:
            self._tell(product, troubles[0])
        else:
            self._said.pop(product, None)

    def _tell(self, product: str, text: str) -> None:
        """Log a trouble once."""
        if self._said.get(product) != text:
            self._said[product] = text
            self._log(f"the lineage of {product} cannot be read: {text}")


def events_at(client: httpx.Client, url: str) -> list[Any]:
    """The events that a door tells. Raises `ValueError` where it tells something else."""
    document = json.loads(body_at(client, url, MAX_ANSWER_BYTES))
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise ValueError("it answers with something else than events")
    return events


def mark_of(event: Any) -> str:
    """What tells one event from another: all but its time, for a run that rests is as it was."""
    if isinstance(event, dict):
        event = {name: value for name, value in event.items() if name != "eventTime"}
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).hexdigest()
