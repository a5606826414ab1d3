"""What answers in the place of a product's door while its storage cannot be opened.

Not here: the door itself (`door`), and the server that both stand behind (`serve`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mesh.ports.refusals import RETRY_AFTER_S

__all__ = ["Switch"]


class Switch:
    """The HTTP application of *product*: its door, or what says why it is not open."""

    def __init__(self, product: str) -> None:
        self.product = product
        self.app: ASGIApp
        self.say("starting", "")

    def say(self, state: str, reason: str) -> None:
        """Answer that the product is in *state*, and nothing else."""
        self.app = waiting_app(
            {"name": self.product, "kind": "product", "state": state, "reason": reason}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on one request."""
        await self.app(scope, receive, send)


def waiting_app(status: Mapping[str, object]) -> FastAPI:
    """An application that says nothing but *status*."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/status")
    def get_status() -> Mapping[str, object]:
        """Why nothing else is answered."""
        return status

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    def get_anything(path: str) -> JSONResponse:
        """All else, later: whoever asks now must not take it for an answer."""
        why = ": ".join(str(each) for each in (status["state"], status["reason"]) if each)
        detail = f"{status['name']} is {why}"
        return JSONResponse({"detail": detail}, 503, {"Retry-After": str(RETRY_AFTER_S)})

    return app
