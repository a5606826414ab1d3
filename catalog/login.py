"""Who is signed in on a page, by HTTP's own login: a name, and as its password a token.

A browser keeps that for this origin alone, where a cookie goes to every port of a machine. The
token is good at the doors that pages ask in this person's name, and nowhere else. Not here: what
a person may do, which each door decides.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from fastapi import Request

from catalog.asking import Check
from mesh.errors import Refused

__all__ = ["CHALLENGE", "Person", "is_ours", "person_of", "place_in"]

CHALLENGE = {"WWW-Authenticate": 'Basic realm="the catalogue", charset="UTF-8"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whoever asks, and the token that says so at other doors."""

    name: str
    token: str


def person_of(request: Request, check: Check) -> Person | None:
    """Who is signed in, if anybody is; a program may send its token as at every other door."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    name, token = "", rest.strip()
    if scheme.lower() == "basic":
        try:
            name, _, token = base64.b64decode(token, validate=True).decode().partition(":")
        except ValueError:
            return None
    elif scheme.lower() != "bearer":
        return None
    try:
        found = check(token.strip())
    except Refused:
        return None
    return Person(name=found, token=token.strip()) if name in ("", found) else None


def is_ours(request: Request) -> bool:
    """Whether a form was sent from a page of ours, and not from one that a browser has beside it.

    A browser adds a login by itself, whoever made the form; a program's token nobody adds.
    """
    if request.headers.get("Authorization", "").lower().startswith("bearer "):
        return True
    return request.headers.get("Origin", "").partition("://")[2] == request.headers.get("Host")


def place_in(text: str) -> str:
    """Where a person goes on after the login: a path of ours, whatever *text* says."""
    is_path = text.startswith("/") and text.isprintable() and not text.startswith(("//", "/\\"))
    return text if is_path and "\\" not in text else "/"
