"""The access service: exchanges a principal's secret for a short-lived token.

POST /token?for=call-center   (HTTP Basic: principal, secret)  ->  {"token": …, "expires_in_s": 900}
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from mesh.backbone.endpoint import Principal
from mesh.control.tokens import LIFE_S, issue_token
from mesh.errors import Refused
from mesh.home import Home

__all__ = ["access_app"]

# At the module's level, where FastAPI looks up what annotations name.
BASIC = HTTPBasic()
Login = Annotated[HTTPBasicCredentials, Depends(BASIC)]
Audience = Annotated[str | None, Query(alias="for", max_length=63)]


def access_app(home: Home) -> FastAPI:
    """The service over the keys in *home*."""
    app = FastAPI(title="mesh access", docs_url=None, redoc_url=None)

    @app.get("/status")
    def status() -> dict[str, object]:
        """Whether the service answers."""
        return {"name": "access", "kind": "service", "state": "running"}

    @app.post("/token")
    def token(login: Login, audience: Audience = None) -> dict[str, object]:
        """A token for the principal that the secret belongs to, *for* one door or for all."""
        principal = Principal(name=login.username, secret=login.password)
        try:
            return {"token": issue_token(home, principal, audience), "expires_in_s": LIFE_S}
        except Refused as error:
            raise HTTPException(401, str(error)) from error

    return app
