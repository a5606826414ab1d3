"""What a service says of itself over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import httpx

__all__ = ["ask_status", "service_status"]

KEYS = ("state", "reason", "rows", "lag", "freshness_s", "last_arrival_at", "rejected")


def ask_status(address: str, timeout_s: float = 2.0) -> Mapping[str, object] | None:
    """The answer of `GET /status` at *address*, or None if there is none."""
    with suppress(httpx.HTTPError, ValueError):
        response = httpx.get(f"{address}/status", timeout=timeout_s, trust_env=False)
        if response.is_success:
            document: Mapping[str, object] = response.json()
            return document
    return None


def service_status(address: str, kind: str = "product") -> dict[str, object]:
    """What `mesh status` shows of a service beyond its process; nothing for a foreign server."""
    if kind not in ("product", "service"):
        return {}
    found = ask_status(address) if address.startswith("http") else None
    if found is None:
        return {"state": "absent", "reason": "it does not answer"}
    return {name: found[name] for name in KEYS if name in found}
