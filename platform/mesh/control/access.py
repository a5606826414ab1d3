"""The access service: exchanges secrets for short-lived tokens, and keeps who may read what.

POST /token?for=call-center   (HTTP Basic: principal, secret)  ->  {"token": …, "expires_in_s": 900}
GET  /access                  (Bearer, as all below)  every request and grant
POST /access/request          {"port", "purpose"}     ask, as whom the token says
POST /access/grant            {"port", "principal", "for_s"?, "purpose"?, "reason"?}  as an owner
POST /access/revoke           {"port", "principal", "reason"?}  as an owner, or one's own

Not here: who may do what (`granting`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import (
    HTTPAuthorizationCredentials,
    HTTPBasic,
    HTTPBasicCredentials,
    HTTPBearer,
)
from pydantic import BaseModel, ConfigDict, Field

from mesh.backbone.endpoint import Principal
from mesh.contract.access import Access
from mesh.contract.names import MAX_NAME, is_kebab
from mesh.control.granting import GrantDesk
from mesh.control.tokens import LIFE_S, issue_token
from mesh.errors import Refused, WrongUse
from mesh.home import Home

__all__ = ["access_app", "grant_routes"]

# At the module's level, where FastAPI looks up what annotations name.
BASIC, BEARER = HTTPBasic(), HTTPBearer()
Login = Annotated[HTTPBasicCredentials, Depends(BASIC)]
Token = Annotated[HTTPAuthorizationCredentials, Depends(BEARER)]
Audience = Annotated[str | None, Query(alias="for")]
NO_DOOR = "`for` names one door: a product's, a service's, or catalogue.pages"
LONGEST_TEXT = 500
LONGEST_S = 100 * 365 * 24 * 60 * 60


class Act(BaseModel):
    """What is asked, granted or revoked."""

    model_config = ConfigDict(extra="forbid")

    port: Annotated[str, Field(max_length=200)]
    principal: Annotated[str, Field(max_length=63)] = ""
    purpose: str = ""
    reason: str = ""
    for_s: Annotated[float | None, Field(gt=0, le=LONGEST_S, allow_inf_nan=False)] = None


def access_app(home: Home, *routers: APIRouter) -> FastAPI:
    """The service over the keys in *home*."""
    app = FastAPI(title="mesh access", docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, answer_invalid)

    @app.get("/status")
    def status() -> dict[str, object]:
        """Whether the service answers."""
        return {"name": "access", "kind": "service", "state": "running"}

    @app.post("/token")
    def token(login: Login, audience: Audience = None) -> dict[str, object]:
        """A token for the principal that the secret belongs to, *for* one door or for all."""
        if audience is not None and not is_door(audience):
            raise HTTPException(422, NO_DOOR)
        principal = Principal(name=login.username, secret=login.password)
        try:
            return {"token": issue_token(home, principal, audience), "expires_in_s": LIFE_S}
        except Refused as error:
            raise HTTPException(401, str(error)) from error

    for router in routers:
        app.include_router(router)
    return app


def is_door(text: str) -> bool:
    """Whether a door may be called so."""
    return len(text) <= MAX_NAME and all(map(is_kebab, text.split(".")))


def grant_routes(
    desk: GrantDesk, check: Callable[[str], str], now: Callable[[], datetime]
) -> APIRouter:
    """The acts of *desk* over HTTP; *check* says whom a token speaks for."""
    router = APIRouter()

    @router.get("/access")
    def every(token: Token) -> list[Mapping[str, object]]:
        """Every request and grant, for whoever is a principal."""
        check(token.credentials)
        return [document(each, now()) for each in desk.every()]

    @router.post("/access/request")
    def request(token: Token, act: Act) -> Mapping[str, object]:
        """Ask for a port."""
        found = desk.request(check(token.credentials), act.port, plain(act.purpose))
        return document(found, now())

    @router.post("/access/grant")
    def grant(token: Token, act: Act) -> Mapping[str, object]:
        """Grant a port, until a time or until revoked."""
        given = Access(
            port=act.port,
            principal=act.principal,
            state="granted",
            purpose=plain(act.purpose),
            by=check(token.credentials),
            reason=plain(act.reason),
            until=None if act.for_s is None else now() + timedelta(seconds=act.for_s),
        )
        return document(desk.grant(given), now())

    @router.post("/access/revoke")
    def revoke(token: Token, act: Act) -> Mapping[str, object]:
        """Revoke a grant, or refuse a request; which products may hold copies."""
        by = check(token.credentials)
        done, copies = desk.revoke(by, act.port, act.principal, plain(act.reason))
        return {**document(done, now()), "copies": list(copies)}

    return router


def document(access: Access, now: datetime) -> Mapping[str, object]:
    """An access as JSON."""
    found = {**asdict(access), "state": access.state_at(now)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in found.items()
    }


def plain(text: str) -> str:
    """*text* in one line. Raises `WrongUse` where it is too long to be read."""
    if len(text) > LONGEST_TEXT:
        raise WrongUse(f"purpose and reason have {LONGEST_TEXT} characters at most")
    return " ".join(text.split())


def answer_invalid(_: Request, error: Exception) -> JSONResponse:
    """The answer to what is no act, in words.

    FastAPI's own repeats what was sent, which may be what no answer can hold: half a character.
    """
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    found = [f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}" for each in error.errors()]
    words = "; ".join(found).encode(errors="replace").decode()
    return JSONResponse({"detail": words}, 422)
