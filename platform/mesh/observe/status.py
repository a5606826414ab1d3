"""What a service says of itself over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import httpx

from mesh.backbone.direct import direct

__all__ = ["answers", "ask_status", "with_status"]

KEYS = ("state", "rows", "lag", "freshness_s", "last_arrival_at", "rejected")


def ask_status(address: str, timeout_s: float = 2.0) -> Mapping[str, object] | None:
    """The answer of `GET /status` at *address*, or None if there is none."""
    with suppress(httpx.HTTPError, ValueError):
        response = asked(address, timeout_s)
        if response.is_success:
            document: Mapping[str, object] = response.json()
            return document
    return None


def asked(address: str, timeout_s: float) -> httpx.Response:
    """The answer of `GET /status` at *address*. Raises `httpx.HTTPError`."""
    return httpx.get(f"{address}/status", timeout=timeout_s, **direct(address))


def answers(address: str, timeout_s: float) -> bool:
    """Whether anything comes back from *address* in time; who is not there is not slow."""
    with suppress(httpx.HTTPError):
        try:
            asked(address, timeout_s)
        except httpx.TimeoutException:
            return False
    return True


def with_status(service: Mapping[str, object]) -> dict[str, object]:
    """A service as its supervisor sees it, with what it says of itself where it answers.

    A server that is not ours says nothing, and is as its supervisor sees it.
    """
    found = dict(service)
    address = str(service.get("address") or "")
    if service["kind"] not in ("product", "service"):
        return found
    answer = ask_status(address) if address.startswith("http") else None
    if answer is not None:
        found |= {name: answer[name] for name in KEYS if name in answer}
        # How it ended last time is worth knowing while it has no trouble of its own.
        found["reason"] = answer.get("reason") or service.get("reason") or ""
    elif service["state"] == "running":
        found |= {"state": "absent", "reason": "it does not answer"}
    return found
