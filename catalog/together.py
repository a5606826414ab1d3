"""Which ports are asked together and which marts read them, as the SQL access point says it.

For product pages, asked in the catalogue's own name: names alone, which the pages show anyway.
Where the service is away, nothing is said. Not here: who counts (`mesh.sql.notes`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from catalog.doors import body_at
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import MeshError

__all__ = ["Together", "Used"]

LONGEST = 4 << 20
# So long one answer is shown, which takes no page any time then.
LASTS_S = 15.0
# What is said, by the path where it is and the word that it stands under.
TOLD = (("/together", "together"), ("/marts/inputs", "marts"))
# By such a word: a port's id, and what was used with it, or the marts that read it.
Used = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]


@dataclass(slots=True, kw_only=True)
class Together:
    """Asks the service at *address*; *token* gives the catalogue's own for it."""

    client: httpx.Client
    address: Callable[[], str | None]
    token: Callable[[str], str]
    _kept: Used = field(default_factory=dict)
    _until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> Used:
        """What was used together, and the marts, by port."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._kept = self._ask()
                self._until = time.monotonic() + LASTS_S
            return self._kept

    def _ask(self) -> Used:
        address = self.address()
        if address is None:
            return {}
        try:
            headers = {"Authorization": f"Bearer {self.token(SQL_SERVICE)}"}
            return {
                word: json.loads(body_at(self.client, address + path, LONGEST, headers))[word]
                for path, word in TOLD
            }
        except (MeshError, httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError):
            return {}
