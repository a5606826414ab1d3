"""The audit service's process, wired: key, follower and HTTP."""

from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial

from fastapi import FastAPI

from mesh.audit.door import MayRead, audit_routes
from mesh.audit.erasing import Eraser, erasing_routes
from mesh.audit.follower import Follower
from mesh.audit.keys import log_key_of
from mesh.audit.note import LogKey
from mesh.backbone.endpoint import Principal, find_endpoint
from mesh.backbone.registry import Registry
from mesh.contract.audit import AUDIT, AUDIT_SERVICE, ERASER
from mesh.contract.catalogue import CATALOGUE
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.control.tokens import public_key
from mesh.errors import MeshError, Refused
from mesh.home import Home, locked
from mesh.ports.dictionary import is_open
from mesh.ports.refusals import answer_error
from mesh.ports.serve import serving
from mesh.settings import Settings
from mesh.wiring.audit_answers import answers_routes
from mesh.wiring.granted import Granted, granting
from mesh.wiring.speaking import principal_of

__all__ = ["run_audit"]

PLATFORM = "pub.mesh."


def run_audit(
    settings: Settings,
    home: Home,
    project: Project,
    *,
    log: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Keep the audit logs until *stop* is set.

    Raises `AlreadyRunning` where another does on this state folder.
    """
    # A log has some seven files open, and a shell's usual limit of 1,024 is reached early.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    folder = home.folder(AUDIT_SERVICE)
    with locked(folder / "lock", "the audit service"):
        key = log_key_of(folder)
        endpoint = find_endpoint(settings, home)
        principal = Principal(name=AUDIT, secret=home.secret(AUDIT))
        contracts = {each.topic: each for each in project.contracts.values() if each.is_streamed}
        follower = Follower(
            endpoint,
            principal,
            folder / "logs",
            key,
            needs_salt=lambda topic: needs_salt(contracts, topic),
            say=log,
        )
        with (
            closing(follower),
            Registry(endpoint) as registry,
            granting(project, endpoint, principal, log) as granted,
        ):
            app = app_of(follower, granted, registry, key.log_key, public_key(home))
            with serving(app, settings, home, AUDIT_SERVICE) as address:
                log(f"the audit service listens at {address}, its key is {key.log_key}")
                follower.run(stop)


def app_of(
    follower: Follower, granted: Granted, registry: Registry, key: LogKey, token_key: str
) -> FastAPI:
    """The door of the logs of *follower*, and of the answers from them."""
    app = FastAPI(title="mesh audit", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(MeshError, answer_error)
    may_read = readers(granted, token_key)
    app.include_router(audit_routes(follower, key, may_read))
    app.include_router(answers_routes(follower, granted.files, registry, may_read))
    eraser = Eraser(
        contracts={
            each.topic: each for each in granted.files.contracts.values() if each.is_streamed
        },
        schema_of=registry.schema,
        check=partial(check_eraser, token_key),
    )
    app.include_router(erasing_routes(follower, eraser))
    return app


def check_eraser(key: str, token: str) -> None:
    """Raise where *token* does not speak for whoever erases."""
    principal = principal_of(token, key, AUDIT_SERVICE)
    if principal != ERASER:
        raise Refused(f"{principal} does not erase: only {ERASER} may have openings destroyed")


def needs_salt(contracts: Mapping[str, Contract], topic: str) -> bool:
    """Whether messages of *topic* may be personal; of whom we know no contract, we cannot tell."""
    if topic.startswith(PLATFORM):
        return False
    return topic not in contracts or contracts[topic].has_personal_fields


def readers(granted: Granted, key: str) -> MayRead:
    """Who may read what, by token and topic; the platform's own topics are for everybody.

    The catalogue shows whatever it may read to whoever has no token: what is open to all.
    Whoever has the service's own secret may read what the service does.
    """
    files = granted.files
    contracts = {each.topic: each for each in files.contracts.values() if each.is_streamed}

    def may_read(token: str, topic: str) -> None:
        principal = principal_of(token, key, AUDIT_SERVICE)
        contract = contracts.get(topic)
        readers = {contract.product, *granted.direct_readers_of(contract)} if contract else set()
        if contract is not None and is_open(contract, files.identifiers):
            readers.add(CATALOGUE)
        if not topic.startswith(PLATFORM) and principal not in (*readers, AUDIT):
            raise Refused(f"{principal} is not granted {topic}")

    return may_read
