"""By which whoever erases has a service make its copies of topics anew; products have their own.

GET  /control            when it was asked for, and when it was done
POST /control/rewrite    (Authorization: Bearer TOKEN)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.audit import ERASER
from mesh.errors import Refused
from mesh.product.rewriting import Rewriting

__all__ = ["rewriting_routes"]

Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def rewriting_routes(rewriting: Rewriting, who: Callable[[str], str]) -> APIRouter:
    """The routes; *who* tells whom a token speaks for."""
    router = APIRouter()

    @router.get("/control")
    def get_control() -> Mapping[str, object]:
        """Whether it is asked for, and when it was done last."""
        return {"rewriting_asked_at": rewriting.asked_at, "rewritten_at": rewriting.done_at}

    @router.post("/control/rewrite")
    def post_rewrite(login: Login) -> Mapping[str, object]:
        """Have it done."""
        if who(login.credentials) != ERASER:
            raise Refused(f"only {ERASER} may have the copies made anew")
        rewriting.ask()
        return get_control()

    return router
