"""How an address of the mesh is asked over HTTP, with httpx."""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Direct", "direct"]


class Direct(TypedDict):
    """What httpx is told of each request, or of a client."""

    trust_env: bool
    verify: bool


def direct(address: str) -> Direct:
    """Httpx's options for *address*: no proxy of the environment ever sees an inner one.

    To read the world's certificates takes 30 ms, and without TLS nobody asks for them.
    """
    return Direct(trust_env=False, verify=address.startswith("https:"))
