r"""GraphQL over a product's ports: `POST /graphql`, for whoever is granted one of them.

    {"query": "{calls(where: {queue: {eq: \"billing\"}}, limit: 3) {rows {call_id} next}}"}

Nothing of it is imported before it is asked, and without the extra `graphql` it says so.
Not here: the schema (`graphql_schema`), its limits (`graphql_limits`), who may read (`door`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import pyarrow as pa
from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.names import shown
from mesh.errors import MeshError, Refused, WrongUse
from mesh.ports.bodies import body_of, json_of
from mesh.ports.door import Asked, Door
from mesh.ports.question import Pairs
from mesh.ports.refusals import Busy, NotThere, status_of
from mesh.ports.values import json_rows

if TYPE_CHECKING:
    import strawberry
    from strawberry.types import ExecutionResult

__all__ = ["add_graphql", "has_graphql"]

BEARER = HTTPBearer()
Login = Annotated[HTTPAuthorizationCredentials, Depends(BEARER)]

MOST_BYTES = 64 * 1024
MOST_ROWS = 1000
# Of all ports in one question together: their values become objects of Python.
MOST_ROW_BYTES = 16 * 1024 * 1024
PATIENCE_S = 10.0
MISSING = (
    "this door has no GraphQL: `pip install 'reference-data-mesh[graphql]'` where the product runs"
)


@dataclass(slots=True, kw_only=True)
class Asking:
    """One request: whose it is, and how much it may still have."""

    token: str
    left: int = field(default_factory=lambda: MOST_ROW_BYTES)


def has_graphql() -> bool:
    """Whether the extra is installed."""
    return find_spec("strawberry") is not None


def add_graphql(app: FastAPI, door: Door) -> None:
    """GraphQL over the output ports."""
    graphql = GraphQL(door)

    @app.post("/graphql")
    async def post_graphql(login: Login, request: Request) -> Mapping[str, object]:
        """The answer to one document."""
        body = await body_of(request, MOST_BYTES)
        return await run_in_threadpool(graphql.answer, login.credentials, body)


class GraphQL:
    """Answers documents over *door*, one at a time: Python computes no two at once."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._turn = threading.Lock()
        self._schema: strawberry.Schema | None = None

    def answer(self, token: str, body: bytes) -> dict[str, object]:
        """What GraphQL answers: `data`, and `errors` where there are any.

        Raises `NotKnown`, `Refused` for who is granted no port at all, `WrongUse` for what is no
        question, `NotThere` without the extra.
        """
        self._admit(token)
        query, variables, operation = question_in(body)
        if not has_graphql():
            raise NotThere(MISSING)
        if not self._turn.acquire(timeout=PATIENCE_S):
            raise Busy("other questions in GraphQL take long: try again")
        try:
            result = self._execute(query, variables, operation, Asking(token=token))
        finally:
            self._turn.release()
        errors = [formatted(each) for each in result.errors or ()]
        return {"data": result.data} | ({"errors": errors} if errors else {})

    def _admit(self, token: str) -> None:
        """Raise `Refused` for whoever may read nothing here, the schema included."""
        principal = self._door.principal(token)
        for port in self._door.contracts:
            try:
                self._door.contract(port, token)
            except Refused:
                continue
            return
        raise Refused(f"{principal} is granted no port of this product")

    def _execute(
        self, query: str, variables: dict[str, Any] | None, operation: str | None, asking: Asking
    ) -> ExecutionResult:
        if self._schema is None:
            from mesh.ports.graphql_schema import schema_of

            self._schema = schema_of(self._door.contracts, self._read)
        from strawberry.schema.exceptions import CannotGetOperationTypeError

        try:
            return self._schema.execute_sync(
                query, variables, context_value=asking, operation_name=operation
            )
        except CannotGetOperationTypeError as error:
            raise WrongUse(error.as_http_error_reason()) from error

    def _read(self, port: str, pairs: Pairs, asking: Asking) -> Mapping[str, object]:
        """One port's page as the schema has it."""
        limit = dict(pairs)["limit"]
        if not 1 <= int(limit) <= MOST_ROWS:
            raise WrongUse(f"limit is {shown(limit)}: write 1 to {MOST_ROWS}, and use the cursor")
        answer = self._door.answer(Asked(token=asking.token, port=port, pairs=pairs))
        table = pa.Table.from_batches(answer.batches or (), answer.schema)
        asking.left -= table.nbytes
        if asking.left < 0:
            raise WrongUse("the rows are too large at once: ask for fewer")
        return {
            "rows": [dict(zip(table.column_names, row, strict=True)) for row in json_rows(table)],
            "offsets": [*answer.notes.places()],
            "next": answer.notes.next,
        }


def question_in(body: bytes) -> tuple[str, dict[str, Any] | None, str | None]:
    """The document, its variables, and which operation. Raises `WrongUse`."""
    try:
        document = json_of(body)
    except ValueError:
        document = None
    found = document if isinstance(document, dict) else {}
    query, variables = found.get("query"), found.get("variables")
    operation = found.get("operationName")
    is_right = isinstance(variables, dict | None) and isinstance(operation, str | None)
    if not isinstance(query, str) or not query or not is_right:
        raise WrongUse('send JSON as {"query": "…", "variables": {…}, "operationName": "…"}')
    return query, variables, operation


def formatted(error: Any) -> dict[str, Any]:
    """An error as GraphQL says it, with the status that REST would answer."""
    cause = error.original_error
    if isinstance(cause, RecursionError):
        return {"message": "the question is nested too deep"}
    if isinstance(cause, MeshError):
        return {**error.formatted, "extensions": {"status": status_of(cause)}}
    if cause is not None and not isinstance(cause, type(error)):
        raise cause
    return dict(error.formatted)
