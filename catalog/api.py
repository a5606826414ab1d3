"""The catalogue over HTTP, as JSON: what is in it is for everybody, changes need an owner's token.

Pages for people stand under the same URLs (`negotiation`); whoever makes them hands in a router.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from catalog.answers import (
    ID,
    PUT_BODY,
    Accepted,
    Listing,
    Problem,
    ProductDocument,
    VerdictDocument,
    descriptor_of,
)
from catalog.asking import Check, bounded_body, speaker
from catalog.desk import Desk
from catalog.figures import figures
from catalog.negotiation import JsonByName
from catalog.store import Store
from catalog.verdict import Verdict
from mesh.contract.policies import rulebook
from mesh.contract.project import Project
from mesh.errors import MeshError, Refused
from mesh.ports.refusals import NotThere, answer_error

__all__ = ["catalogue_app"]

MAX_BODY_BYTES = 4 << 20
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token speaks for nobody."},
    403: {"model": Problem, "description": "The token is not an owner's."},
    413: {"model": Problem, "description": "Too large for a descriptor."},
    422: {"model": VerdictDocument, "description": "Refused: rule, place, problem, remedy."},
    503: {"model": Problem, "description": "Kafka does not answer."},
}
NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such product."},
    422: {"model": Problem, "description": "The id is no name."},
}
Id = Annotated[str, Path(pattern=ID, max_length=63)]


def catalogue_app(desk: Desk, check: Check, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The service over *desk*. *check* gives the principal of a token, or raises `Refused`.

    *routers* come first: pages, and what others add.
    """
    app = FastAPI(
        title="The catalogue of the mesh",
        version="1",
        description="Every data product: its promise, its owner, its rung. See docs/catalogue.md.",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(JsonByName)
    app.add_exception_handler(MeshError, answer_error)
    for each in routers:
        app.include_router(each)
    app.include_router(reading(desk.store))
    app.include_router(around(desk.store))
    app.include_router(writing(desk, check))
    return app


def reading(store: Store) -> APIRouter:
    """What everybody may see of products."""
    routes = APIRouter()

    @routes.get("/products", response_model=Listing)
    def products() -> dict[str, Any]:
        """Every product, without its descriptor."""
        found = [
            {name: value for name, value in each.as_document().items() if name != "descriptor"}
            for each in store.products().values()
        ]
        return {"products": found}

    @routes.get("/products/{id}", response_model=ProductDocument, responses=NOT_THERE)
    def product(id: Id) -> dict[str, Any]:  # noqa: A002 - the name of the path's parameter
        """One product with its whole descriptor."""
        kept = store.product(id)
        if kept is None:
            raise NotThere(f"there is no product {id}: `/products` lists all")
        return kept.as_document()

    @routes.get("/verdicts/{id}", response_model=VerdictDocument, responses=NOT_THERE)
    def verdict(id: Id) -> dict[str, Any]:  # noqa: A002 - as above
        """What the last attempt to register the product met."""
        found = store.verdict(id)
        if found is None:
            raise NotThere(f"nobody has tried to register {id}")
        return found[0].as_document()

    return routes


def around(store: Store) -> APIRouter:
    """What everybody may see of the catalogue itself."""
    routes = APIRouter()

    @routes.get("/status")
    def status() -> dict[str, object]:
        """Whether the service answers."""
        count = len(store.products())
        return {"name": "catalogue", "kind": "service", "state": "running", "products": count}

    @routes.get("/policies")
    def policies() -> dict[str, Any]:
        """Every policy, those of domains too."""
        return {"policies": [each.as_document() for each in rulebook(store.project.root)]}

    @routes.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """The catalogue's figures for Prometheus."""
        body, media = figures(store)
        return Response(body, media_type=media)

    return routes


def writing(desk: Desk, check: Check) -> APIRouter:
    """What an owner may do."""
    routes = APIRouter()

    def owner(request: Request, id_: str) -> str:
        return require_owner(request, id_, check, desk.store.project)

    @routes.put(
        "/products/{id}",
        response_model=Accepted,
        responses={201: {"model": Accepted}, **REFUSALS},
        openapi_extra=PUT_BODY,
    )
    async def put(request: Request, id: Id) -> Response:  # noqa: A002 - the path's parameter
        """Register the product, or a new version of it."""
        await run_in_threadpool(owner, request, id)
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            detail = f"a descriptor has at most {MAX_BODY_BYTES:,} bytes: split the product"
            return JSONResponse({"detail": detail}, 413)
        descriptor = descriptor_of(id, body)
        if isinstance(descriptor, str):
            return JSONResponse({"detail": descriptor}, 422)
        is_new = desk.store.product(id) is None
        verdict = await run_in_threadpool(desk.submit, descriptor, "http")
        return answered(verdict, 201 if is_new else 200)

    @routes.delete("/products/{id}", response_model=VerdictDocument, responses=REFUSALS)
    def delete(request: Request, id: Id) -> Response:  # noqa: A002 - the path's parameter
        """Withdraw the product, unless others read it."""
        owner(request, id)
        return answered(desk.withdraw(id, "http"), 200)

    return routes


def require_owner(request: Request, id_: str, check: Check, project: Project) -> str:
    """The principal of the request's token, if it is the product itself or a person who owns it.

    Raises `NotKnown` for a token that is not good, `Refused` for anybody else's.
    """
    principal = speaker(request, check)
    if principal != id_ and principal not in project.owners_of(id_):
        raise Refused(f"{principal} does not own {id_}: only its owners and itself may register it")
    return principal


def answered(verdict: Verdict, status: int) -> Response:
    """A verdict as an answer."""
    status = 422 if verdict.state == "refused" else status
    return Response(
        json.dumps(verdict.as_document()), status_code=status, media_type="application/json"
    )
