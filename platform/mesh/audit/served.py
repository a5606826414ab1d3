"""Logs as their door serves them, over HTTP: what a verification computes everything anew from.

Nothing that it hands out is believed. Not here: what is made of it (`recount`, `verify`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from mesh.audit.entry import ENTRY_BYTES
from mesh.audit.origin import LogName
from mesh.audit.tiles import Tile
from mesh.errors import MeshError, Refused, Unproven, Unreachable

__all__ = ["Opened", "Served"]

# An entry in a bundle has its length before it.
LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What opens each entry of a bundle, and by what request those that are *erased* were."""

    openings: Sequence[bytes | None]
    erased: Mapping[int, str]


class Served:
    """The audit service behind *client*, asked with what *token* gives."""

    def __init__(self, client: httpx.Client, token: Callable[[], str]) -> None:
        self._client, self._token = client, token

    def key(self) -> str:
        """The key that the service says is its own."""
        return self._got("/key").text

    def logs(self) -> list[Mapping[str, Any]]:
        """Every log, as the service describes it."""
        found: Any = self._document("/logs")
        try:
            return [{**each, "path": is_log(str(each["path"]))} for each in found]
        except (TypeError, KeyError) as error:
            raise MeshError(f"the audit service did not list its logs: {error}") from error

    def note(self, path: str) -> str:
        """The newest checkpoint of the log at *path*."""
        return self._got(f"{path}/checkpoint").text

    def hashes(self, path: str, tile: Tile) -> bytes:
        """The hashes of a tile. Raises `Unproven` where the log has no such tile."""
        return self._got(f"{path}/tile/{tile.name}").content

    def entries(self, path: str, tile: Tile) -> bytes:
        """The entries below a tile of level 0. Raises `Unproven` where it is no bundle of them."""
        data = self._got(f"{path}/tile/entries/{tile.name.partition('/')[2]}").content
        size = LENGTH_BYTES + ENTRY_BYTES
        if len(data) != tile.width * size:
            raise Unproven(f"the bundle {tile.name} of {path} has {len(data)} bytes")
        starts = range(LENGTH_BYTES, len(data), size)
        return b"".join(data[at : at + ENTRY_BYTES] for at in starts)

    def opened(self, path: str, tile: Tile) -> Opened:
        """What opens the entries below a tile of level 0."""
        name = tile.name.partition("/")[2]
        path = path.replace("/logs/", "/opened/", 1)
        headers = {"Authorization": f"Bearer {self._token()}"}
        document = self._document(f"{path}/openings/{name}", headers)
        try:
            openings = [each and base64.b64decode(each) for each in document["openings"]]
            marks = {int(index): str(request) for index, request in document["erased"].items()}
        except (KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
            raise MeshError(f"the audit service did not answer with openings: {error}") from error
        erased = {at: by for at, by in marks.items() if tile.begin <= at < tile.end}
        return Opened(openings=(openings + [None] * tile.width)[: tile.width], erased=erased)

    def _document(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        try:
            return self._got(path, headers).json()
        except ValueError as error:
            raise MeshError(f"the audit service did not answer {path} with JSON") from error

    def _got(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            response = self._client.get(path, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable(f"the audit service does not answer ({error}): is it up?") from error
        if response.is_success:
            return response
        words = (
            f"the audit service answered {response.status_code} to {path}: {response.text[:300]}"
        )
        raise (Refused if response.status_code in (401, 403) else Unproven)(words)


def is_log(path: str) -> str:
    """*path*, which is a log's. Raises `Unproven`."""
    if f"/logs/{LogName.parse(path.replace('/logs/', 'mesh/', 1)).path}" != path:
        raise Unproven(f"the audit service names a log {path[:80]!r}, which is none")
    return path
