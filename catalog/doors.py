"""What is read at the doors of products: as much as was asked for, and no more.

Not here: what is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

__all__ = ["body_at"]


def body_at(
    client: httpx.Client, url: str, limit: int, headers: Mapping[str, str] | None = None
) -> bytes:
    """What is answered at *url*.

    Raises `httpx.HTTPError` where nobody answers, or with another status than success, and
    `ValueError` where the answer is more than *limit* bytes, of which no more is read.
    """
    body = bytearray()
    with client.stream("GET", url, headers=dict(headers or {})) as response:
        response.raise_for_status()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > limit:
                raise ValueError(f"it answers with more than {limit:,} bytes")
    return bytes(body)
