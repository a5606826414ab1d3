"""`python -m mesh.observe.health`: exit 0 if the process of this container says that it runs.

For a container's health check; only the standard library, since it is started every few seconds.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request

__all__ = ["is_healthy"]

TIMEOUT_S = 3.0


def is_healthy(address: str) -> bool:
    """Whether the service at *address* answers and does what it may."""
    try:
        with urllib.request.urlopen(f"{address}/status", timeout=TIMEOUT_S) as response:  # noqa: S310 - http by construction
            return json.load(response).get("state") in ("running", "paused", "ungranted")
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    port = os.environ.get("MESH_HTTP_PORT", "8000")
    sys.exit(0 if is_healthy(f"http://127.0.0.1:{port}") else 1)
