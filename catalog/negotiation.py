"""Pages and JSON under one URL: which of the two a request is for.

`HtmlRoute` is a route that is only there for whoever asks for HTML, so a router of pages can
stand before the JSON routes of the same paths. A path that ends in `.json` always means JSON,
else `?format=` says which, else the header Accept.

    pages = APIRouter(route_class=HtmlRoute, include_in_schema=False)
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi.routing import APIRoute
from starlette.datastructures import Headers, QueryParams
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HtmlRoute", "JsonByName", "wants_html"]

JSON = ".json"


class HtmlRoute(APIRoute):
    """A route for those who ask for HTML; all others go on to the next one that fits."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this route is meant."""
        if not wants_html(scope):
            return Match.NONE, {}
        return super().matches(scope)


class JsonByName:
    """`/products/billing.json` is `/products/billing`, asked for as JSON."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = str(scope.get("path", ""))
        is_named = path.endswith(JSON) and path != "/openapi.json" and scope["type"] == "http"
        if is_named and scope["method"] in ("GET", "HEAD"):
            scope = {**scope, "path": path.removesuffix(JSON), "mesh.json": True}
        await self._app(scope, receive, send)


def wants_html(scope: MutableMapping[str, Any]) -> bool:
    """Whether the first of HTML and JSON that the request accepts by preference is HTML."""
    if scope.get("type") != "http" or scope.get("mesh.json") or scope["method"] == "PUT":
        return False
    asked = QueryParams(scope.get("query_string", b"")).get("format", "")
    if asked in ("json", "html"):
        return asked == "html"
    weights = dict.fromkeys(("text/html", "application/json"), 0.0)
    for part in Headers(scope=scope).get("accept", "").split(","):
        media, *parameters = (each.strip() for each in part.split(";"))
        if media in weights:
            weights[media] = max(weights[media], weight_of(parameters))
    return weights["text/html"] > weights["application/json"]


def weight_of(parameters: list[str]) -> float:
    """How much a media type is preferred (RFC 9110, 12.4.2)."""
    for each in parameters:
        if each.startswith("q="):
            try:
                return float(each.removeprefix("q="))
            except ValueError:
                return 0.0
    return 1.0
