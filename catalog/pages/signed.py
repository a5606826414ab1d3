"""What the pages of a person have in common: the login, who is signed in, forms, and answers.

    GET /login?to=/sql   asks the browser for name and token, and goes on

What is done is done by the service that does it for the commands, which decides who may. Not
here: SQL (`sql_routes`), access (`access_routes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Query, Request, Response

from catalog.asking import Check, bounded_body
from catalog.login import CHALLENGE, Person, is_ours, person_of, place_in
from catalog.pages.rendering import page, write_json
from catalog.pages.routes import Pages, is_page
from catalog.services import Services
from mesh.contract.catalogue import PAGES
from mesh.errors import MeshError, Refused
from mesh.ports.refusals import NotKnown, answer_error

__all__ = ["Text", "Work", "form_of", "link", "login_pages", "show", "strangers_page"]

LONGEST_FORM = 400_000
LONGEST_LINK = 4_000
Text = Annotated[str, Query(max_length=100_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the pages work with. *check* says whom a token speaks for."""

    shelf: Pages
    check: Check
    services: Services

    def person(self, request: Request) -> Person | None:
        """Who is signed in."""
        return person_of(request, self.check)

    def sender(self, request: Request) -> Person | None:
        """Who sent a form, from a page of ours. Raises `Refused` where it is another's form."""
        if not is_ours(request):
            raise Refused("this form was not sent from a page of this catalogue: use `/sql`")
        return self.person(request)


def login_pages(work: Work) -> APIRouter:
    """The page at which a browser asks who one is."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    def get_login(request: Request, to: Text = "/", other: str = "") -> Response:
        """Go on where somebody is signed in, who is not the one that wants to be another."""
        person = work.person(request)
        if person is None or person.name == other:
            return strangers_page(request, place_in(to), CHALLENGE)
        return personal(Response(status_code=303, headers={"Location": place_in(to)}))

    return router


def show(
    request: Request,
    template: str,
    document: Mapping[str, object],
    error: MeshError | None = None,
    **extras: object,
) -> Response:
    """A page that is one person's, with why something was not done where it was not."""
    if isinstance(error, NotKnown):
        return strangers_page(request, here(request), {})
    status = 200 if error is None else answer_error(request, error).status_code
    document = {**document, **({} if error is None else {"detail": str(error)})}
    return written(request, template, document, status, **extras)


def strangers_page(
    request: Request, to: str, challenge: Mapping[str, str] | None = None
) -> Response:
    """What whoever is not signed in is told: how to, and where that leads.

    With a *challenge*, be it an empty one, what was asked for is refused.
    """
    document = {
        "principal": None,
        "detail": "sign in: the name is yours, the password a token",
        "command": f"mesh token --as ME --for {PAGES}",
        "login": link("/login", to=to if len(to) <= LONGEST_LINK else to.partition("?")[0]),
    }
    response = written(request, "login.html", document, 200 if challenge is None else 401)
    response.headers.update(challenge or {})
    return response


def written(
    request: Request,
    template: str,
    document: Mapping[str, object],
    status: int,
    **extras: object,
) -> Response:
    """*document* as it was asked for."""
    if not is_page(request):
        return personal(write_json(document, status))
    shown = {"document": document, "path": here(request), "question": "", **extras}
    return personal(page(template, shown, status))


def personal(response: Response) -> Response:
    """An answer that nobody keeps, and that is another for somebody else."""
    response.headers["Cache-Control"] = "no-store, private"
    response.headers["Vary"] = "Accept, Authorization"
    return response


def here(request: Request) -> str:
    """The page that a form belongs to."""
    return "/" + request.url.path.split("/")[1]


def link(path: str, **given: str) -> str:
    """A path with what is given."""
    found = {name: each for name, each in given.items() if each}
    return f"{path}?{urlencode(found, quote_via=quote)}" if found else path


async def form_of(request: Request) -> Mapping[str, str]:
    """The fields of a form. What is too long has none."""
    body = await bounded_body(request, LONGEST_FORM)
    return dict(parse_qsl((body or b"").decode(errors="replace"), keep_blank_values=True))
