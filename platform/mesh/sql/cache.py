"""Answers that are kept, and which may be: the same query, rights and rows give the same answer.

A key names the principal, what it is granted, the generations of its copies, the query and its
format, so an answer needs no end of its life: whatever changes, another key is asked for.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from mesh.product.event_lint import UNTRUE_TO_DATA, function_names

__all__ = ["Cache", "Kept", "is_repeatable"]

LARGEST = 4 * 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024
WORDS = re.compile(r"\w+")
# What tells the clock, chance, the worker itself, or hides a query in a text.
NEVER = UNTRUE_TO_DATA | {
    "explain",
    "json_execute_serialized_sql",
    "query",
    "query_table",
    "sample",
    "show",
    "tablesample",
}
OF_THE_WORKER = re.compile(r"\b(duckdb|pragma|pg)_\w+|information_schema", re.IGNORECASE)


def is_repeatable(sql: str) -> bool:
    """Whether *sql* says the same again of the same rows; a word in doubt is taken for a call."""
    words = {each.lower() for each in WORDS.findall(sql)}
    return not words & (function_names()[1] | NEVER) and not OF_THE_WORKER.search(sql)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An answer of so many *rows*, and when it was made."""

    body: bytes
    at: float
    rows: int = 0

    @property
    def age_s(self) -> float:
        """How old it is."""
        return time.monotonic() - self.at


class Cache:
    """The answers that were asked for last, in bounded memory."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Kept | None:
        """What was kept under *key*."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Hashable, body: bytes, rows: int = 0) -> None:
        """Keep an answer, unless it is large, and let the oldest go."""
        if len(body) > LARGEST:
            return
        with self._lock:
            old = self._kept.pop(key, None)
            self._bytes += len(body) - (len(old.body) if old else 0)
            self._kept[key] = Kept(body=body, at=time.monotonic(), rows=rows)
            while self._bytes > MOST_BYTES:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= len(gone.body)

    def forget(self, principal: str) -> None:
        """Drop what was answered to a principal, whose name every key begins with."""
        with self._lock:
            for key in [
                each for each in self._kept if isinstance(each, tuple) and each[0] == principal
            ]:
                self._bytes -= len(self._kept.pop(key).body)
