"""The pages of the named queries, as whoever is signed in may ask them.

    GET /queries        those that this person may ask, what they have cost, and the marts
    GET /queries/NAME   one: owner, parameters, result, text, cost, last runs, its mart

The SQL service tells all of it, to this person. Not here: asking (`sql_routes`, the command).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from catalog.login import Person
from catalog.pages.signed import Work, link, show, strangers_page
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import MeshError

__all__ = ["query_pages"]


def query_pages(work: Work) -> APIRouter:
    """The pages over the SQL service."""
    router = APIRouter(include_in_schema=False)

    @router.get("/queries")
    async def get_queries(request: Request) -> Response:
        """The queries that may be asked, and those that are kept as tables."""
        return await told(request, work, ("/queries", "/marts"), "queries.html")

    @router.get("/queries/{name}")
    async def get_query(request: Request, name: str) -> Response:
        """One query."""
        one = f"/queries/{quote(name, safe='')}"
        return await told(request, work, (one, "/marts"), "query.html")

    return router


async def told(request: Request, work: Work, paths: tuple[str, ...], template: str) -> Response:
    """The page of what the service tells at *paths*."""
    person = work.person(request)
    if person is None:
        return strangers_page(request, link(request.url.path))
    try:
        said = [await work.services.ask(person, SQL_SERVICE, f"GET {each}") for each in paths]
    except MeshError as error:
        return show(request, "unavailable.html", {}, error)
    found = {name: each for document, _ in said for name, each in document.items()}
    return show(request, template, {**found, **of(person, found)})


def of(person: Person, found: Mapping[str, Any]) -> Mapping[str, object]:
    """What a page adds: who sees it; of one query the command that asks it, and its own mart."""
    if "sql" not in found:
        return {"principal": person.name}
    marts = [each for each in found["marts"] if each["query"] == found["name"]]
    words = ["mesh", "query", "run", str(found["name"])]
    for each in found["parameters"]:
        example = next(iter(each["examples"]), "VALUE")
        words.append(f"--param={each['name']}={example}")
    command = shlex.join([*words, "--as", person.name])
    return {"principal": person.name, "command": command, "marts": marts}
