"""A few rows of a port, from its product's dictionary, with what is personal masked.

The product masks already; it is done again here, since what is shown is this page's to answer for.
A product that is away costs one short wait, and is not asked again for a while.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import httpx

from catalog.doors import body_at
from catalog.pages.texts import mapping, mappings
from catalog.shelf import Entry
from mesh.contract.identifiers import Identifier
from mesh.contract.model import Contract
from mesh.errors import MeshError
from mesh.ports.dictionary import MASK, is_masked

__all__ = ["Look", "Sample", "Samples", "door_of", "masked"]

# Where a product's door is, by its id, where that is known.
Look = Callable[[str], str | None]

TIMEOUT = httpx.Timeout(1.0, connect=0.3)
LONGEST = 1_000_000
KEPT_S = 20.0
MOST_ROWS, LONGEST_VALUE = 5, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows as text, *masked* columns with stars."""

    columns: Sequence[str]
    masked: Sequence[str]
    rows: Sequence[Sequence[str | None]]


class Samples:
    """Asks the dictionaries of products, and remembers their answers for some seconds."""

    def __init__(
        self, client: httpx.Client | None = None, token: Callable[[str], str] | None = None
    ):
        self._client = client or httpx.Client(timeout=TIMEOUT, trust_env=False)
        self._token = token
        self._kept: dict[str, tuple[float, Mapping[str, object]]] = {}
        self._lock = Lock()

    def of(
        self, entry: Entry, address: str | None, identifiers: Mapping[str, Identifier]
    ) -> Mapping[str, Sample]:
        """The samples of a product by port; none where it is away or has none to give."""
        if address is None:
            return {}
        document = self._document(address, entry.product.id)
        if document.get("product") != entry.product.id:
            return {}
        given = {str(each.get("port")): each.get("sample") for each in _ports(document)}
        found = {
            port.name: masked(mapping(given.get(port.name)), port.contract, identifiers)
            for port in entry.product.outputs
        }
        return {port: sample for port, sample in found.items() if sample is not None}

    def _document(self, address: str, product: str) -> Mapping[str, object]:
        now = time.monotonic()
        with self._lock:
            at, document = self._kept.get(address, (-KEPT_S, {}))
        if now - at < KEPT_S:
            return document
        document = self._ask(f"{address}/dictionary", product)
        with self._lock:
            self._kept = {
                known: (at, each) for known, (at, each) in self._kept.items() if now - at < KEPT_S
            } | {address: (now, document)}
        return document

    def _headers(self, product: str) -> dict[str, str]:
        """Who asks; where no token is to be had, nobody in particular, who may see less."""
        try:
            return {"Authorization": f"Bearer {self._token(product)}"} if self._token else {}
        except MeshError:
            return {}

    def _ask(self, url: str, product: str) -> Mapping[str, object]:
        headers = self._headers(product)
        try:
            return mapping(json.loads(body_at(self._client, url, LONGEST, headers)))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError):
            return {}


def door_of(entry: Entry, look: Look) -> str | None:
    """The address of a product's door, unless nobody answered when it was last asked."""
    observed = entry.observed
    if observed is not None and not observed.is_reached:
        return None
    return (observed.address if observed is not None else None) or look(entry.product.id)


def masked(
    sample: Mapping[str, object], contract: Contract, identifiers: Mapping[str, Identifier]
) -> Sample | None:
    """*sample* by the columns of the contract alone, or None where there is none."""
    columns, rows = sample.get("columns"), sample.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    hidden = {each.name for each in contract.fields if is_masked(each, identifiers)}
    places = [
        (each.name, columns.index(each.name)) for each in contract.fields if each.name in columns
    ]
    return Sample(
        columns=[name for name, _ in places],
        masked=[name for name, _ in places if name in hidden],
        rows=[
            [shown(row[place], is_hidden=name in hidden) for name, place in places]
            for row in rows[:MOST_ROWS]
            if isinstance(row, list) and len(row) == len(columns)
        ],
    )


def shown(value: object, *, is_hidden: bool) -> str | None:
    """*value* as text; None where there is none."""
    if value is None:
        return None
    if is_hidden:
        return MASK
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…"


def _ports(document: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
    return mappings(document.get("ports"))
