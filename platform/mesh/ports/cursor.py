"""Cursors: where a reader stands between two pages, as text that only this door can make.

A cursor names the last row that was given, never a number of rows to skip, so that rows which
come or go meanwhile move nothing. It is signed, since it becomes a condition over the rows.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

from mesh.ports.refusals import BadCursor

__all__ = ["Cursors", "Place"]

MAC_BYTES = 16
LONGEST = 16_384
INVALID = "the cursor is not one of this port: take `next` as the answer before gave it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Behind one row: its place in the order as text, and which of several in that place it is.

    *question* says what was asked: a cursor goes on with the same filters only.
    """

    question: str
    order: tuple[str, ...]
    count: int


class Cursors:
    """Makes and reads cursors with a key that the process before had too."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(f"cursor\0{secret}".encode()).digest()

    def write(self, place: Place) -> str:
        """The cursor of *place*."""
        body = json.dumps(asdict(place), separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._mac(body) + body).decode().rstrip("=")

    def read(self, text: str, question: str) -> Place:
        """The place that a cursor names. Raises `BadCursor` where it is not ours, or not here."""
        try:
            if len(text) > LONGEST:
                raise ValueError("too long")
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError as error:
            raise BadCursor(INVALID) from error
        mac, body = raw[:MAC_BYTES], raw[MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(body)) or text != _canonical(raw):
            raise BadCursor(INVALID)
        found = json.loads(body)
        if found["question"] != question:
            raise BadCursor(
                "the cursor belongs to another question: only `limit`, `fields` and `format` may "
                "differ from one page to the next"
            )
        return Place(question=question, order=tuple(found["order"]), count=found["count"])

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")[:MAC_BYTES]


def _canonical(raw: bytes) -> str:
    """Base64 has several texts for the same bytes; one of them is ours."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
