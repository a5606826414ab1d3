"""The access service: exchanges a principal's secret for a short-lived token.

POST /token   (HTTP Basic: principal, secret)  ->  {"token": …, "expires_in_s": 900}
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from mesh.backbone.endpoint import Principal
from mesh.control.tokens import LIFE_S, issue_token
from mesh.errors import Refused
from mesh.home import Home

__all__ = ["access_app"]

# At the module's level, where FastAPI looks up what annotations name.
BASIC = HTTPBasic()


def access_app(home: Home) -> FastAPI:
    """The service over the keys in *home*."""
    app = FastAPI(title="mesh access", docs_url=None, redoc_url=None)

    @app.get("/status")
    def status() -> dict[str, object]:
        """Whether the service answers."""
        return {"name": "access", "kind": "service", "state": "running"}

    @app.post("/token")
    def token(login: Annotated[HTTPBasicCredentials, Depends(BASIC)]) -> dict[str, object]:
        """A token for the principal that the secret belongs to."""
        principal = Principal(name=login.username, secret=login.password)
        try:
            return {"token": issue_token(home, principal), "expires_in_s": LIFE_S}
        except Refused as error:
            raise HTTPException(401, str(error)) from error

    return app
