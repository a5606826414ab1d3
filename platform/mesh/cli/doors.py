"""How commands speak with doors over HTTP: a document, or rows into a file; errors as ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import httpx

from mesh.backbone.direct import direct
from mesh.batch.whole import place_of, whole
from mesh.errors import MeshError, Refused, Unreachable, WrongUse

__all__ = [
    "FORMATS",
    "TIMEOUT_S",
    "answer",
    "answer_with_headers",
    "answered",
    "content",
    "content_with_headers",
    "download",
    "form_for",
    "receive",
]

FORMATS = ("json", "csv", "arrow", "parquet")
BINARY = ("arrow", "parquet")
TIMEOUT_S = 30


def answer(method: str, url: str, **arguments: object) -> Mapping[str, object]:
    """The JSON of a door's answer; an error of our tree where it is none."""
    return answer_with_headers(method, url, **arguments)[0]


def answer_with_headers(
    method: str, url: str, **arguments: object
) -> tuple[Mapping[str, object], Mapping[str, str]]:
    """The JSON of a door's answer, and what goes with it."""
    response = answered(method, url, arguments)
    try:
        document: Mapping[str, object] = response.json()
    except ValueError as error:
        raise MeshError(f"{url} did not answer with JSON") from error
    if response.is_success:
        return document, response.headers
    raise refusal(url, response.status_code, document.get("detail"))


def content(url: str, token: str, params: Mapping[str, str]) -> bytes:
    """What a door answers, as it is; an error of our tree where it refuses."""
    headers = {"Authorization": f"Bearer {token}"}
    return content_with_headers("GET", url, params=params, headers=headers)[0]


def content_with_headers(
    method: str, url: str, **arguments: object
) -> tuple[bytes, Mapping[str, str]]:
    """What a door answers, as it is, and what goes with it."""
    response = answered(method, url, arguments)
    if response.is_success:
        return response.content, response.headers
    raise refusal(url, response.status_code, detail_of(response))


def answered(method: str, url: str, arguments: Mapping[str, object]) -> httpx.Response:
    """Whatever a door answers. Raises `Unreachable` where nobody does."""
    arguments = {"timeout": TIMEOUT_S, **direct(url), **arguments}
    try:
        return httpx.request(method, url, **arguments)  # type: ignore[arg-type]  # httpx's own keywords
    except httpx.HTTPError as error:
        raise Unreachable(f"nobody answers at {url} ({error}): is it running?") from error


def download(
    url: str,
    token: str,
    params: Sequence[tuple[str, str]],
    *,
    form: str,
    out: Path | None,
) -> None:
    """Write rows to a file, whole or not at all, or to standard output, as they come."""
    request = {
        "params": [*params, ("format", form)],
        "headers": {"Authorization": f"Bearer {token}"},
    }
    receive("GET", url, request, out)


def form_for(form: str | None, out: Path | None, *, as_json: bool = False) -> str:
    """The format that is asked for: by name, as JSON, or by the name of the file.

    Raises `WrongUse` for none, and for two.
    """
    suffix = out.suffix.removeprefix(".") if out else ""
    asked = {each for each in (form, "json" if as_json else "", suffix) if each in FORMATS}
    if not asked:
        raise WrongUse(f"{out} does not say a format: let its name end in .{', .'.join(FORMATS)}")
    if len(asked) > 1:
        raise WrongUse(f"{' and '.join(sorted(asked))} are two formats: ask for one of them")
    (found,) = asked
    if out is None and found in BINARY:
        raise WrongUse(f"{found} is nothing to look at: say where to with --out FILE")
    return found


def receive(method: str, url: str, request: Mapping[str, object], out: Path | None) -> None:
    """Write what a door answers to a file, whole or not at all, or to standard output."""
    if out is not None:
        place_of(out)
    request = {"timeout": TIMEOUT_S, **direct(url), **request}
    try:
        with httpx.stream(method, url, **request) as response:  # type: ignore[arg-type]  # httpx's own keywords
            if not response.is_success:
                response.read()
                raise refusal(url, response.status_code, detail_of(response))
            if out is None:
                for piece in response.iter_bytes():
                    click.echo(piece, nl=False)
                return
            write(out, response)
    except httpx.HTTPError as error:
        raise Unreachable(f"{url} did not send all of it ({error}): try again") from error


def write(out: Path, response: httpx.Response) -> None:
    """Fill a file beside *out*, and rename it once it is whole."""
    with whole(out) as part, part.open("wb") as file:
        for piece in response.iter_bytes():
            file.write(piece)
    click.echo(f"{out}: {out.stat().st_size:,} bytes", err=True)


def detail_of(response: httpx.Response) -> object:
    """Why a door refused."""
    try:
        return json.loads(response.text).get("detail")
    except (ValueError, AttributeError):
        return None


def refusal(url: str, status: int, detail: object) -> MeshError:
    """The error of our tree for an answer that is none."""
    text = f"{url.rsplit('/', 1)[0]}: {detail or status}"
    if status in (401, 403):
        return Refused(text)
    return WrongUse(text) if status == 422 else MeshError(text)
