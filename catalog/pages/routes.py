"""The pages over HTTP: each URL has a page for people and the same as JSON for programs.

    app.include_router(pages_router(shelf=lambda: store.shelf(), samples=Samples()))

A shelf is asked for once an answer; what is made of one (the index) is kept as long as it is the
same. Not here: what changes the catalogue (`catalog.api`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from catalog.negotiation import wants_html
from catalog.pages.lists import (
    found_document,
    home_document,
    identifier_document,
    identifiers_document,
    owner_document,
    owners_document,
    policies_document,
    products_document,
    relations_document,
)
from catalog.pages.map import map_document, map_picture
from catalog.pages.product import product_document
from catalog.pages.rendering import page, static_file, write_json
from catalog.pages.sampling import Look, Samples, door_of
from catalog.pages.searcher import Searcher
from catalog.pages.showing import product_extras
from catalog.shelf import Shelf
from catalog.together import Used

__all__ = ["pages_router"]

ANSWERS: dict[int | str, dict[str, object]] = {
    200: {
        "description": "A page, or its JSON",
        "content": {"text/html": {}, "application/json": {}},
    },
    404: {
        "description": "There is none of this name",
        "content": {"text/html": {}, "application/json": {}},
    },
}
# Lists that `catalog.api` describes.
API = ("policies",)
Question = Annotated[str, Query(max_length=1000, description="Words to look for")]
Domain = Annotated[str | None, Query(max_length=200, description="One domain and its neighbours")]
Pages = Callable[[], Shelf]


def pages_router(
    shelf: Pages,
    samples: Samples | None = None,
    look: Look = lambda _: None,
    together: Callable[[], Used] = dict,
) -> APIRouter:
    """All pages, of the shelf that *shelf* gives when one is asked for.

    *look* knows the doors of products of which nothing has been observed yet, *together* which
    ports are asked together and which marts read them.
    """
    router = APIRouter(tags=["pages"])
    add_home(router, shelf)
    add_products(router, shelf, samples or Samples(), look, together)
    add_lists(router, shelf)
    add_single(router, shelf)
    add_static(router)
    return router


def answer(
    request: Request, template: str, document: Mapping[str, object], **extras: object
) -> Response:
    """*document* as it was asked for; *extras* are pictures, which JSON needs not."""
    if not is_page(request):
        return write_json(document)
    return page(
        template, {"document": document, "path": request.url.path, "question": "", **extras}
    )


def is_page(request: Request) -> bool:
    """Whether a page was asked for."""
    return wants_html(request.scope)


def missing(request: Request, kind: str, name: str) -> Response:
    """Nothing of this name is here."""
    document = {"detail": f"there is no {kind} {name[:200]!r} in the catalogue"}
    if not is_page(request):
        return write_json(document, 404)
    extras = {"path": request.url.path, "question": ""}
    return page("missing.html", {"document": document, **extras}, 404)


def add_home(router: APIRouter, shelf: Pages) -> None:
    """Home, search and the map."""
    searcher = Searcher()

    @router.get("/", responses=ANSWERS, response_class=Response)
    def get_home(request: Request) -> Response:
        """What there is, and where to look for more."""
        now = shelf()
        return answer(request, "home.html", home_document(now), picture=map_picture(now))

    @router.get("/search", responses=ANSWERS, response_class=Response)
    def get_search(request: Request, q: Question = "") -> Response:
        """Products by words, best first, with why each was found."""
        now = shelf()
        document = found_document(now, q, searcher.search(now, q))
        return answer(request, "search.html", document, question=q)

    @router.get("/map", responses=ANSWERS, response_class=Response)
    def get_map(request: Request, domain: Domain = None) -> Response:
        """The mesh by domain, and who reads whom."""
        now = shelf()
        if domain is not None and all(e.product.domain != domain for e in now.entries.values()):
            return missing(request, "domain", domain)
        document = map_document(now, domain)
        return answer(request, "map.html", document, picture=map_picture(now, domain))


def add_products(
    router: APIRouter, shelf: Pages, samples: Samples, look: Look, together: Callable[[], Used]
) -> None:
    """All products, and each; `catalog.api` describes their JSON, to which pages add."""

    @router.get("/products", include_in_schema=False)
    def get_products(request: Request) -> Response:
        """Every product, in short."""
        return answer(request, "products.html", products_document(shelf()))

    @router.get("/products/{id}", include_in_schema=False)
    def get_product(request: Request, id: str) -> Response:  # noqa: A002 - the path's parameter
        """One product: promise, ports, contract, samples, rung, lineage, and how to read it."""
        now = shelf()
        entry = now.entries.get(id)
        if entry is None:
            return missing(request, "product", id)
        address = door_of(entry, look)
        rows = samples.of(entry, address, now.project.identifiers)
        document = product_document(now, entry, rows, address, together())
        extras = product_extras(now, entry) if is_page(request) else {}
        return answer(request, "product.html", document, **extras)


def add_lists(router: APIRouter, shelf: Pages) -> None:
    """What the company agreed on, and who is who."""
    documents: Mapping[str, Callable[[Shelf], dict[str, object]]] = {
        "identifiers": identifiers_document,
        "relations": relations_document,
        "owners": owners_document,
        "policies": policies_document,
    }

    def add(name: str, document: Callable[[Shelf], dict[str, object]]) -> None:
        described = name not in API

        @router.get(
            f"/{name}",
            responses=ANSWERS,
            response_class=Response,
            name=name,
            include_in_schema=described,
        )
        def get_list(request: Request) -> Response:
            return answer(request, f"{name}.html", document(shelf()))

    for name, document in documents.items():
        add(name, document)


def add_single(router: APIRouter, shelf: Pages) -> None:
    """One identifier, one owner."""

    @router.get("/identifiers/{name}", responses=ANSWERS, response_class=Response)
    def get_identifier(request: Request, name: str) -> Response:
        """An identifier: who holds it, and where it leads."""
        now = shelf()
        found = now.project.identifiers.get(name)
        if found is None:
            return missing(request, "identifier", name)
        return answer(request, "identifier.html", identifier_document(now, found))

    @router.get("/owners/{owner}", responses=ANSWERS, response_class=Response)
    def get_owner(request: Request, owner: str) -> Response:
        """An owner and its products."""
        document = owner_document(shelf(), owner)
        if document is None:
            return missing(request, "owner", owner)
        return answer(request, "owner.html", document)


def add_static(router: APIRouter) -> None:
    """The style sheet and the tab's picture."""

    @router.get("/catalogue.css", include_in_schema=False)
    def get_style() -> Response:
        return static_file("catalogue.css")

    @router.get("/catalogue.svg", include_in_schema=False)
    def get_icon() -> Response:
        return static_file("catalogue.svg")
