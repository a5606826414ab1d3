"""Turns a document into a page by a template, or into JSON; both with the headers of a page.

Templates escape everything; the policy of the headers allows no script, and styles of ours only.
Not here: what stands in a document (`product`, `lists`), which is asked for (`routes`).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote

from fastapi import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog.pages.texts import clean, link_to, shown

__all__ = ["HEADERS", "page", "static_file", "write_json"]

HERE = Path(__file__).parent.parent
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # With `no-referrer` a browser does not say, either, from which page a form was sent.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}
TYPES = {"catalogue.css": "text/css; charset=utf-8", "catalogue.svg": "image/svg+xml"}
A_YEAR = "public, max-age=31536000, immutable"


def page(template: str, document: Mapping[str, object], status: int = 200) -> Response:
    """*document* as HTML."""
    text = templates().get_template(template).render(document)
    body = text.encode("utf-8", errors="replace")
    return Response(body, status, dict(HEADERS), media_type="text/html; charset=utf-8")


def write_json(document: object, status: int = 200) -> Response:
    """*document* as JSON, in ASCII: what came by JSON may hold what UTF-8 cannot."""
    text = json.dumps(tidy(document), ensure_ascii=True, allow_nan=False, indent=1, default=str)
    return Response(text + "\n", status, dict(HEADERS), media_type="application/json")


def tidy(value: object) -> object:
    """*value* with what JSON has no number for as null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): tidy(each) for key, each in value.items()}
    return [tidy(each) for each in value] if isinstance(value, list | tuple) else value


@cache
def templates() -> Environment:
    """The templates, read when the first page is asked for."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        auto_reload=False,
        finalize=clean,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    found.filters["shown"] = shown
    found.filters["part"] = lambda text: quote(str(text), safe="", errors="replace")
    found.globals["link_to"] = link_to
    found.globals["style"] = (
        f"/catalogue.css?v={static_file('catalogue.css').headers['ETag'][1:13]}"
    )
    return found


@cache
def static_file(name: str) -> Response:
    """The style sheet, or the picture of the tab; both have their digest in what names them."""
    body = (HERE / "static" / name).read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {**HEADERS, "Cache-Control": A_YEAR, "ETag": tag}
    return Response(body, headers=headers, media_type=TYPES[name])
