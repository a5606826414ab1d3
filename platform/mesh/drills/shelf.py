"""Logs behind the audit service's own door, with nobody who adds to them: a copy to be broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from mesh.audit.door import audit_routes
from mesh.audit.follower import Followed
from mesh.audit.note import LogKey
from mesh.audit.served import Served
from mesh.audit.store import Log
from mesh.backbone.direct import direct
from mesh.contract.audit import AUDIT_SERVICE
from mesh.errors import MeshError
from mesh.home import Home
from mesh.ports.refusals import answer_error
from mesh.ports.serve import Server
from mesh.product.following import Place

__all__ = ["shelved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What the door serves."""

    logs: Mapping[str, Log]
    followed: Mapping[Place, Followed] = field(default_factory=dict)
    reason: str = "nothing is followed"


@contextmanager
def shelved(logs: Sequence[Log], key: LogKey, home: Home) -> Iterator[Served]:
    """Serve *logs* for the time of a block, to anybody: they are a drill's."""
    app = FastAPI()
    app.add_exception_handler(MeshError, answer_error)
    copies = Copies(logs={each.name.path: each for each in logs})
    app.include_router(audit_routes(copies, key, lambda *_: None))
    server = Server(app, home, AUDIT_SERVICE, host="127.0.0.1", port=0)
    server.start()
    try:
        with httpx.Client(base_url=server.address, timeout=30, **direct(server.address)) as client:
            yield Served(client, lambda: "anybody")
    finally:
        server.stop()
