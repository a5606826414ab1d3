"""The page on which ports are asked for, and their owners grant, refuse and revoke.

    GET  /access?port=PORT&purpose=TEXT   what there is to decide, and one's own
    POST /access/request|grant|revoke

The access service does it, as for `mesh access`. Not here: what stands in the page (`accesses`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from catalog.login import Person
from catalog.pages.accesses import VERBS, access_document, act_of
from catalog.pages.signed import Text, Work, form_of, link, show, strangers_page
from mesh.contract.access import ACCESS_SERVICE
from mesh.errors import MeshError
from mesh.ports.refusals import NotThere

__all__ = ["access_pages"]


def access_pages(work: Work) -> APIRouter:
    """The page over the access service."""
    router = APIRouter(include_in_schema=False)

    @router.get("/access")
    async def get_access(request: Request, port: Text = "", purpose: Text = "") -> Response:
        """What there is to decide, and what one has oneself."""
        person = work.person(request)
        if person is None:
            return strangers_page(request, link("/access", port=port, purpose=purpose))
        return await shown(request, work, person, {"port": port, "purpose": purpose})

    @router.post("/access/{verb}")
    async def post_access(request: Request, verb: str) -> Response:
        """Ask, grant or revoke."""
        form = await form_of(request)
        try:
            person = work.sender(request)
            if verb not in VERBS:
                raise NotThere(f"one may {', '.join(VERBS)}")
        except MeshError as error:
            return show(request, "unavailable.html", {}, error)
        asked = {name: form.get(name, "") for name in ("port", "purpose")}
        if person is None:
            return strangers_page(request, link("/access", **asked), {})
        try:
            call = f"POST /access/{verb}"
            done, _ = await work.services.ask(person, ACCESS_SERVICE, call, act_of(form))
        except MeshError as error:
            return await shown(request, work, person, asked, error)
        return await shown(request, work, person, {"done": {"copies": [], **done}})

    return router


async def shown(
    request: Request,
    work: Work,
    person: Person,
    more: Mapping[str, object],
    error: MeshError | None = None,
) -> Response:
    """The page of accesses as they stand now."""
    try:
        found, _ = await work.services.ask(person, ACCESS_SERVICE, "GET /access")
        shelf = await run_in_threadpool(work.shelf)
    except MeshError as failure:
        return show(request, "unavailable.html", {}, error or failure)
    document = {**access_document(shelf.project, person.name, found), **more}
    return show(request, "access.html", document, error)
