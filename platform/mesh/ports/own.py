"""What a product's own routes are given: `door.py` in its folder, where it has one.

    def routes(own: Own) -> APIRouter: ...

A product whose answers are more than its rows puts them there. Not here: finding that module
(`mesh.wiring.own`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from mesh.contract.identifiers import Identifier
from mesh.contract.model import Product, Relation
from mesh.product.listener import Listener
from mesh.product.position import Offsets

__all__ = ["Own", "Remembered"]

# So long a token that was good is not looked at again: who is revoked is out within five seconds.
REMEMBERED_S = 2.0
MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """One running product, as its own routes see it.

    *allow* takes a port and a token and raises `Refused` for whoever may not read the port;
    *reader* gives a connection to the storage of one's own; *listen* has a listener told of
    every change from now on.
    """

    product: Product
    allow: Callable[[str, str], None]
    reader: Callable[[], duckdb.DuckDBPyConnection]
    listen: Callable[[Listener], None]
    identifiers: Mapping[str, Identifier]
    relations: Callable[[], tuple[Relation, ...]]
    offsets: Callable[[], Offsets]


class Remembered:
    """*allow*, asked again for the same port and token only after a few seconds.

    Checking a signature takes longer than a look-up.
    """

    def __init__(self, allow: Callable[[str, str], object]) -> None:
        self._allow = allow
        self._until: dict[tuple[str, str], float] = {}

    def __call__(self, port: str, token: str) -> None:
        """Raise what *allow* raises."""
        now = time.monotonic()
        if self._until.get((port, token), 0.0) > now:
            return
        self._allow(port, token)
        if len(self._until) >= MOST_REMEMBERED:
            self._until.clear()
        self._until[port, token] = now + REMEMBERED_S
