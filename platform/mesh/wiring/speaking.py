"""Whom a token speaks for at a door of the mesh, in the words in which doors refuse."""

from __future__ import annotations

from collections.abc import Sequence

from mesh.control.tokens import check_token
from mesh.errors import Refused
from mesh.ports.refusals import NotKnown

__all__ = ["principal_of"]


def principal_of(token: str, key: str, audience: str, also: Sequence[str] = ()) -> str:
    """Whom *token* speaks for at the door *audience*. Raises `NotKnown` where it is not good."""
    try:
        return check_token(token, key, audience, also)
    except Refused as error:
        raise NotKnown(str(error)) from error
