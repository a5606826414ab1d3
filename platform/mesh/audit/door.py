"""The HTTP door of the audit logs: what anybody may check, and what a grant opens.

    GET /logs                                         every log, with its key and how far it is
    GET /logs/TOPIC/ID/PARTITION/checkpoint           C2SP tlog-checkpoint
    GET /logs/TOPIC/ID/PARTITION/tile/LEVEL/N[.p/W]   C2SP tlog-tiles
    GET /logs/TOPIC/ID/PARTITION/tile/entries/N[.p/W]
    GET /logs/TOPIC/ID/PARTITION/proof/OFFSET         C2SP tlog-proof, of the entry alone
    GET /logs/TOPIC/ID/PARTITION/consistency/OLD/NEW  the hashes of the proof
    GET /opened/TOPIC/ID/PARTITION/proof/OFFSET       with the message (Authorization: Bearer TOKEN)
    GET /opened/TOPIC/ID/PARTITION/openings/N[.p/W]   what opens the entries of a bundle
    GET /key /status

Not here: who may read a topic, which is asked; erasing (`erasing`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.audit.follower import Followed
from mesh.audit.note import LogKey
from mesh.audit.origin import id_text
from mesh.audit.store import Log
from mesh.audit.tiles import Tile
from mesh.product.following import Place

__all__ = ["Login", "MayRead", "Shelf", "audit_routes"]

Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
# Raises where the token's principal may not read the topic.
MayRead = Callable[[str, str], None]
ENTRIES = "entries/"
# A tile and a checkpoint's entries never change; a checkpoint does with each batch.
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
FRESH = {"Cache-Control": "no-cache"}
TEXT = "text/plain; charset=utf-8"


class Shelf(Protocol):
    """Where the logs are: a follower's, or copies that nobody adds to."""

    @property
    def logs(self) -> Mapping[str, Log]:
        """Every log, by its path."""

    @property
    def followed(self) -> Mapping[Place, Followed]:
        """The logs of the topics that are there now."""

    @property
    def reason(self) -> str:
        """Why nothing is added to any."""


def audit_routes(follower: Shelf, key: LogKey, may_read: MayRead) -> APIRouter:
    """The routes over the logs of *follower*, all of which *key* stands for."""
    router = APIRouter()

    @router.get("/status")
    def get_status() -> Mapping[str, object]:
        """Health, and how far behind it is."""
        return status_of(follower)

    @router.get("/key")
    def get_key() -> Response:
        """The key that stands for every log of this mesh."""
        return Response(f"{key}\n", media_type=TEXT)

    @router.get("/logs")
    def get_logs() -> list[Mapping[str, object]]:
        """Every log."""
        return [described(follower, path) for path in sorted(follower.logs)]

    add_tiles(router, follower)
    add_proofs(router, follower)
    add_opened(router, follower, may_read)
    return router


def add_tiles(router: APIRouter, follower: Shelf) -> None:
    """What C2SP tlog-tiles asks of a log."""

    @router.get("/logs/{topic}/{id_}/{partition}/checkpoint")
    def get_checkpoint(topic: str, id_: str, partition: int) -> Response:
        """The newest checkpoint."""
        note = log_of(follower, topic, id_, partition).note
        return Response(note, media_type=TEXT, headers=FRESH)

    @router.get("/logs/{topic}/{id_}/{partition}/tile/{name:path}")
    def get_tile(topic: str, id_: str, partition: int, name: str) -> Response:
        """A tile of hashes, or a bundle of entries."""
        log = log_of(follower, topic, id_, partition)
        is_bundle = name.startswith(ENTRIES)
        tile = Tile.named(f"0/{name.removeprefix(ENTRIES)}" if is_bundle else name)
        data = None if tile is None else log.bundle(tile) if is_bundle else log.tile(tile)
        if data is None:
            raise HTTPException(404, f"the log has no tile {name[:80]}")
        return Response(data, media_type="application/octet-stream", headers=IMMUTABLE)


def add_proofs(router: APIRouter, follower: Shelf) -> None:
    """Proofs that are made, for whoever does not make them from tiles."""

    @router.get("/logs/{topic}/{id_}/{partition}/proof/{offset}")
    def get_proof(topic: str, id_: str, partition: int, offset: int) -> Response:
        """The proof of an entry, without its message."""
        log = log_of(follower, topic, id_, partition)
        return Response(proof_of(log, offset, is_opened=False), media_type=TEXT, headers=FRESH)

    @router.get("/logs/{topic}/{id_}/{partition}/consistency/{old}/{new}")
    def get_consistency(
        topic: str, id_: str, partition: int, old: int, new: int
    ) -> Mapping[str, object]:
        """The hashes by which a newer tree begins with an older one."""
        log = log_of(follower, topic, id_, partition)
        if not 0 < old <= new <= log.size:
            raise HTTPException(422, f"no tree of {new} entries begins with one of {old} here")
        hashes = [base64.b64encode(each).decode() for each in log.consistency(old, new)]
        return {"old": old, "new": new, "proof": hashes}


def add_opened(router: APIRouter, follower: Shelf, may_read: MayRead) -> None:
    """What is said, for whoever may read the topic."""

    @router.get("/opened/{topic}/{id_}/{partition}/proof/{offset}")
    def get_opened(topic: str, id_: str, partition: int, offset: int, login: Login) -> Response:
        """The proof of an entry with its message, for whoever may read the topic."""
        may_read(login.credentials, topic)
        log = log_of(follower, topic, id_, partition)
        return Response(proof_of(log, offset, is_opened=True), media_type=TEXT, headers=FRESH)

    @router.get("/opened/{topic}/{id_}/{partition}/openings/{name:path}")
    def get_openings(
        topic: str, id_: str, partition: int, name: str, login: Login
    ) -> Mapping[str, object]:
        """What opens each entry of a bundle, and which of them were erased."""
        may_read(login.credentials, topic)
        log = log_of(follower, topic, id_, partition)
        tile = Tile.named(f"0/{name}")
        if tile is None or tile.end > log.size:
            raise HTTPException(404, f"the log has no bundle {name[:80]}")
        found = dict(log.openings.since(tile.begin, tile.end))
        return {
            "openings": [
                base64.b64encode(found[each]).decode() if each in found else None
                for each in range(tile.begin, tile.end)
            ],
            "erased": dict(log.openings.erased(tile.begin, tile.end)),
        }


def log_of(follower: Shelf, topic: str, id_: str, partition: int) -> Log:
    """A log by its path."""
    log = follower.logs.get(f"{topic}/{id_}/{partition}")
    if log is None:
        raise HTTPException(404, f"there is no log of {topic[:249]} [{partition}] with this id")
    return log


def proof_of(log: Log, offset: int, *, is_opened: bool) -> str:
    """The proof of the entry at *offset*."""
    index = log.index_of(offset)
    if index is None:
        raise HTTPException(
            404,
            f"the log of {log.name.topic} [{log.name.partition}] has no entry of offset {offset}: "
            f"it has {log.size}, up to offset {log.last_offset}",
        )
    return str(log.proof(index, is_opened=is_opened))


def described(follower: Shelf, path: str) -> Mapping[str, object]:
    """What a log says of itself."""
    log = follower.logs[path]
    # Of one moment, though entries may be added meanwhile.
    _, size, root = log.note.split("\n")[:3]
    place = (log.name.topic, log.name.partition)
    followed = follower.followed.get(place)
    if followed is not None and followed.id != log.name.topic_id:
        followed = None
    return {
        "topic": log.name.topic,
        "topic_id": id_text(log.name.topic_id),
        "partition": log.name.partition,
        "entries": int(size),
        "last_offset": log.last_offset,
        "state": state_of(followed),
        "lag": followed.lag if followed else 0,
        "missed": followed.missed if followed else 0,
        "reason": followed.trouble if followed else "the topic is gone, or was made anew",
        "key": log.key,
        "root": root,
        "newest_at": log.entry(int(size) - 1).at.isoformat() if int(size) else None,
        "path": f"/logs/{log.name.path}",
    }


def state_of(followed: Followed | None) -> str:
    """Whether messages are added to a log."""
    if followed is None:
        return "ended"
    return "stopped" if followed.trouble else "following"


def status_of(follower: Shelf) -> Mapping[str, object]:
    """What the service says of itself."""
    followed = [*follower.followed.values()]
    troubles = [each.trouble for each in followed if each.trouble]
    return {
        "name": "audit",
        "kind": "service",
        "state": "waiting" if follower.reason else "running",
        "rows": {"entries": sum(each.size for each in [*follower.logs.values()])},
        "lag": sum(each.lag for each in followed),
        "logs": len(follower.logs),
        "missed": sum(each.missed for each in followed),
        "reason": "; ".join([*filter(None, [follower.reason]), *troubles]),
    }
