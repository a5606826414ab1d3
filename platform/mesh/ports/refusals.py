"""Why a door does not answer, each with its HTTP status; the message says what to do.

Not here: who is refused and when, which each door decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesh.errors import MeshError, Refused, WrongUse

if TYPE_CHECKING:
    from fastapi import Request
    from fastapi.responses import JSONResponse

__all__ = [
    "RETRY_AFTER_S",
    "BadCursor",
    "Busy",
    "NotAcceptable",
    "NotKnown",
    "NotThere",
    "answer_error",
    "status_of",
]

RETRY_AFTER_S = 2


class NotKnown(Refused):
    """The token speaks for nobody."""


class BadCursor(WrongUse):
    """The cursor was not made by this door, or not for this question."""


class NotAcceptable(WrongUse):
    """The door makes none of the formats that were asked for."""


class NotThere(MeshError):
    """No row has this key."""


class Busy(MeshError):
    """The door has as much to do as it may have at once."""


# The first that fits counts.
STATUS: tuple[tuple[type[MeshError], int], ...] = (
    (NotKnown, 401),
    (Refused, 403),
    (BadCursor, 400),
    (NotAcceptable, 406),
    (WrongUse, 422),
    (NotThere, 404),
    (MeshError, 503),
)


def status_of(error: Exception) -> int:
    """The HTTP status for an error of our tree."""
    return next(status for kind, status in STATUS if isinstance(error, kind))


def answer_error(_: Request, error: Exception) -> JSONResponse:
    """The answer for an error of our tree."""
    # FastAPI takes a second to import, and formats alone need none.
    from fastapi.responses import JSONResponse

    status = status_of(error)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_AFTER_S)}}
    return JSONResponse({"detail": str(error)}, status, headers.get(status))
