"""A response that is read while it is sent, for a bounded time, and is closed in every case.

A reader who is slow, or gone, must not keep a transaction of the storage open for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from mesh.errors import MeshError

__all__ = ["Streamed"]


class Streamed(StreamingResponse):
    """Sends *pieces*, then calls *close*; a reader who takes longer is left with a part."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        close: Callable[[], None],
        *,
        headers: Mapping[str, str],
        media_type: str,
        longest_s: float,
    ) -> None:
        super().__init__(pieces, headers=dict(headers), media_type=media_type)
        self._close, self._longest_s = close, longest_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it. Without its end, so that the reader sees that it is a part, if it breaks off.

        The server logs a line of that.
        """
        try:
            async with asyncio.timeout(self._longest_s):
                await super().__call__(scope, receive, send)
        except (TimeoutError, MeshError):
            # Nothing else can be said once it has begun, and the reason may have a query's text.
            return
        finally:
            self._close()
