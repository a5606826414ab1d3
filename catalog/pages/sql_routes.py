"""The page that asks SQL as whoever is signed in.

    GET  /sql?sql=QUERY   the editor, which runs nothing by itself
    POST /sql             runs or explains the query, or adds a name to it

The SQL service answers, over what this person is granted. Not here: what stands in the page
(`asking_sql`), and its chart (`bars`).
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from catalog.login import Person
from catalog.pages.asking_sql import Asked, asked_document, editor_document, with_name
from catalog.pages.bars import bars_of
from catalog.pages.signed import Text, Work, form_of, link, show, strangers_page
from catalog.services import unless_gone
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import MeshError, WrongUse

__all__ = ["sql_pages"]

# Longer than a query may wait and run.
QUERY_S = 150.0


def sql_pages(work: Work) -> APIRouter:
    """The page over the SQL service."""
    router = APIRouter(include_in_schema=False)

    @router.get("/sql")
    async def get_sql(request: Request, sql: Text = "") -> Response:
        """The editor, with the tables of whoever is signed in."""
        person = work.person(request)
        if person is None:
            return strangers_page(request, link("/sql", sql=sql))
        return await shown(request, work, person, editor_document(person.name, sql))

    @router.post("/sql")
    async def post_sql(request: Request) -> Response:
        """The answer to a query, or the editor with another text."""
        form = await form_of(request)
        sql = form.get("sql", "").replace("\r\n", "\n").strip()
        try:
            person = work.sender(request)
        except MeshError as error:
            return show(request, "unavailable.html", {}, error)
        if person is None:
            return strangers_page(request, link("/sql", sql=sql), {})
        asked = Asked(principal=person.name, sql=sql, act=form.get("act", "run"))
        return await done(request, work, person, asked)

    return router


async def done(request: Request, work: Work, person: Person, asked: Asked) -> Response:
    """What a button of the page has done."""
    document = editor_document(person.name, asked.sql)
    if asked.act.startswith("insert "):
        table, _, name = asked.act.removeprefix("insert ").partition(" ")
        tables = await tables_of(work, person)
        document["sql"] = with_name(asked.sql, table, name, tables)
        return show(request, "sql.html", {**document, "tables": tables}, chart=None)
    if asked.act == "cancel":
        # By leaving the page that waited for it, the browser has ended the query.
        return await shown(request, work, person, {**document, "done": "The query was cancelled."})
    if not asked.sql:
        error = WrongUse("write a query, or choose a table")
        return await shown(request, work, person, document, error)
    call = work.services.ask(
        person,
        SQL_SERVICE,
        "POST /sql?format=json",
        {"sql": asked.sql, "explain": asked.is_plan},
        timeout=QUERY_S,
    )
    try:
        told = await unless_gone(request, call)
    except MeshError as error:
        return await shown(request, work, person, document, error)
    if told is None:
        return Response(status_code=204)  # which nobody reads
    return await shown(request, work, person, {**document, **asked_document(asked, *told)})


async def tables_of(work: Work, person: Person) -> list[dict[str, object]]:
    """The tables that a person may ask for. Raises a `MeshError` where nobody says."""
    told, _ = await work.services.ask(person, SQL_SERVICE, "GET /tables")
    return list(told["tables"])


async def shown(
    request: Request,
    work: Work,
    person: Person,
    document: dict[str, object],
    error: MeshError | None = None,
) -> Response:
    """The page of a query, with the tables that may be asked for."""
    try:
        document["tables"] = await tables_of(work, person)
    except MeshError as failure:
        error = error or failure
    result = document["result"]
    chart = bars_of(result["columns"], result["rows"]) if isinstance(result, dict) else None
    return show(request, "sql.html", document, error, chart=chart)
