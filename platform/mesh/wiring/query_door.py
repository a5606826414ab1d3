"""What the SQL access point says over HTTP of named queries, and of what is used together.

    GET /queries           those that may be asked, and what they have cost
    PUT /queries/NAME      registers one's own, or its next version; the body is its file
    GET /queries/NAME      one, with its text, its parameters, its result and its last runs
    GET /together/PORT     the ports that were used with this one; without a name, of every port

Not here: asking (`sql_door`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.types import duckdb_type
from mesh.query.files import NamedQuery
from mesh.query.register import Register
from mesh.sql.notes import Notes
from mesh.wiring.sql_named import Named

__all__ = ["query_routes"]

Login = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


def query_routes(
    named: Named, register: Register, notes: Notes, who: Callable[[str], str]
) -> APIRouter:
    """The routes over *named*, *register* and *notes*; *who* tells whom a token speaks for."""
    router = APIRouter()

    @router.get("/queries")
    def get_queries(login: Login) -> Mapping[str, object]:
        """The queries that may be asked."""
        costs = notes.costs()
        found = named.allowed(who(login.credentials))
        return {"queries": [{**head_of(each), "cost": costs.get(each.name)} for each in found]}

    @router.get("/queries/{name}")
    def get_query(name: str, login: Login) -> Mapping[str, object]:
        """One query, and who asked it last."""
        query = named.query(who(login.credentials), name)
        kept = {"cost": notes.costs().get(name), "runs": notes.runs(name)}
        return {**head_of(query), **body_of(query), **kept}

    @router.put("/queries/{name}")
    async def put_query(name: str, request: Request, login: Login) -> Mapping[str, object]:
        """Register a query."""
        principal, body = who(login.credentials), await request.body()
        return head_of(await to_thread.run_sync(register.put, principal, name, body))

    @router.get("/together")
    def get_all_together(login: Login) -> Mapping[str, object]:
        """The ports that were used together, by each of them."""
        who(login.credentials)
        return {"together": {each: notes.together(each) for each in notes.ports()}}

    @router.get("/together/{port}")
    def get_together(port: str, login: Login) -> Mapping[str, object]:
        """The ports that were used with one."""
        who(login.credentials)
        return {"port": port, "together": notes.together(port)}

    return router


def head_of(query: NamedQuery) -> Mapping[str, object]:
    """What a list says of a query."""
    return {
        "name": query.name,
        "version": query.version,
        "owner": query.owner,
        "description": query.description,
        "parameters": [each.name for each in query.parameters],
    }


def body_of(query: NamedQuery) -> Mapping[str, object]:
    """What is said of one query alone: parameters and result with their types, and its text."""
    parameters = [
        {
            "name": each.name,
            "type": duckdb_type(each.type),
            "description": each.description,
            "examples": each.examples,
        }
        for each in query.parameters
    ]
    result = [
        {
            "name": each.name,
            "type": duckdb_type(each.type),
            "is_required": each.is_required,
            "is_key": bool(each.key_position),
            "description": each.description,
        }
        for each in query.result.fields
    ]
    return {"parameters": parameters, "result": result, "sql": query.sql}
