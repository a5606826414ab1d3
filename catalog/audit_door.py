"""What the audit service tells the catalogue, which shows it to whoever looks at a page.

The service decides what that may be: it opens to the catalogue what is open to everybody.
Not here: what pages make of it (`pages.audited`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from catalog.doors import body_at
from mesh.contract.audit import AUDIT_SERVICE
from mesh.errors import MeshError, Refused, Unreachable, WrongUse
from mesh.ports.refusals import NotThere

__all__ = ["AuditDoor"]

LONGEST = 16 << 20
REFUSALS: dict[int, MeshError] = {
    401: Refused("the audit service does not know the catalogue"),
    403: Refused("the audit service does not show this to everybody"),
    404: NotThere("the audit log has nothing of this name"),
    422: WrongUse("the audit service does not understand the address: begin at `/audit`"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDoor:
    """Asks the audit service at *address*; *token* gives the catalogue's own for it."""

    client: httpx.Client
    address: Callable[[], str | None]
    token: Callable[[str], str]

    def document(self, path: str, *, is_granted: bool = False, **params: object) -> Any:
        """The JSON of what anybody may ask, or the catalogue was granted. Raises a `MeshError`."""
        headers = {"Authorization": f"Bearer {self.token(AUDIT_SERVICE)}"} if is_granted else {}
        try:
            return json.loads(self._body(path, params, headers))
        except (ValueError, RecursionError) as error:
            raise Unreachable(f"the audit service did not answer with JSON: {error}") from error

    def text(self, path: str) -> str:
        """A text that anybody may ask for. Raises a `MeshError`."""
        return self._body(path, {}, {}).decode(errors="replace")

    def _body(self, path: str, params: dict[str, object], headers: dict[str, str]) -> bytes:
        address = self.address()
        if address is None:
            raise Unreachable("the audit service does not run here: `mesh status` says why")
        given = urlencode({name: each for name, each in params.items() if each is not None})
        try:
            return body_at(self.client, f"{address}{quote(path)}?{given}", LONGEST, headers)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            unknown = Unreachable(f"the audit service cannot answer now: it says {status}")
            raise REFUSALS.get(status, unknown) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"the audit service does not answer: {error}") from error
        except ValueError as error:
            raise MeshError(f"the audit service has too much to show: {error}") from error
