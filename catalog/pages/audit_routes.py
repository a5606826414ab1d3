"""The pages of the change audit log: what changed, every log, and proofs to take away.

    GET /products/call-center/changes/calls?before=OFFSETS  the newest changes of a port
    GET /products/call-center/history/calls?key=KEY         what became of a row
    GET /audit?topic=TOPIC                                  the logs and their checkpoints
    GET /audit/TOPIC/ID/PARTITION/checkpoint                a signed note
    GET /audit/TOPIC/ID/PARTITION/proof/OFFSET              a `.tlog-proof` without its message

Where the audit service is away, a page says so. Not here: what stands in them (`audited`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from catalog.audit_door import AuditDoor
from catalog.pages.audited import changes_document, history_document, logs_document
from catalog.pages.rendering import HEADERS, page, write_json
from catalog.pages.routes import ANSWERS, Pages, answer, is_page, missing
from catalog.shelf import Shelf
from mesh.contract.model import Contract
from mesh.errors import MeshError
from mesh.ports.refusals import NotThere, answer_error

__all__ = ["audit_pages"]

Topic = Annotated[str, Path(pattern=r"^pub\.[a-zA-Z0-9._-]{1,245}$")]
Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{22}$")]
Number = Annotated[int, Path(ge=0, lt=1 << 63)]
Before = Annotated[str | None, Query(max_length=20_000, description="The next offsets, as 0:120")]
Key = Annotated[str, Query(max_length=2000, description="The row's key, as text")]
Filter = Annotated[str | None, Query(max_length=249, description="One topic's logs alone")]
TEXT = "text/plain; charset=utf-8"


def audit_pages(shelf: Pages, door: AuditDoor) -> APIRouter:
    """The pages, from what *door* tells of the products of the shelf."""
    router = APIRouter(tags=["pages"])
    add_changes(router, shelf, door)
    add_logs(router, shelf, door)
    return router


def add_changes(router: APIRouter, shelf: Pages, door: AuditDoor) -> None:
    """What changed on a port, and what became of a row."""

    @router.get("/products/{id}/changes/{port}", responses=ANSWERS, response_class=Response)
    def get_changes(request: Request, id: str, port: str, before: Before = None) -> Response:  # noqa: A002 - the path's parameter
        """The newest changes of a port; their content only where it is everybody's."""
        now = shelf()
        contract = contract_of(now, id, port)
        if contract is None:
            return missing(request, "logged port", f"{id}.{port}")
        return told(request, "changes.html", lambda: changes_document(now, contract, door, before))

    @router.get("/products/{id}/history/{port}", responses=ANSWERS, response_class=Response)
    def get_history(request: Request, id: str, port: str, key: Key) -> Response:  # noqa: A002 - as above
        """What became of the row with a key, where that is everybody's."""
        now = shelf()
        contract = contract_of(now, id, port)
        if contract is None:
            return missing(request, "logged port", f"{id}.{port}")
        return told(request, "history.html", lambda: history_document(now, contract, door, key))


def add_logs(router: APIRouter, shelf: Pages, door: AuditDoor) -> None:
    """The logs, and what is taken away from them."""

    @router.get("/audit", responses=ANSWERS, response_class=Response)
    def get_logs(request: Request, topic: Filter = None) -> Response:
        """Every log with its last checkpoint, and the key that checks them."""
        return told(request, "audit.html", lambda: logs_document(shelf(), door, topic))

    @router.get("/audit/{topic}/{id}/{partition}/checkpoint", responses=ANSWERS)
    def get_checkpoint(request: Request, topic: Topic, id: Id, partition: Number) -> Response:  # noqa: A002 - as above
        """The newest checkpoint of a log, a signed note."""
        path = f"/logs/{topic}/{id}/{partition}/checkpoint"
        return file(request, door, path, f"{topic}-{partition}.checkpoint")

    @router.get("/audit/{topic}/{id}/{partition}/proof/{offset}", responses=ANSWERS)
    def get_proof(
        request: Request,
        topic: Topic,
        id: Id,  # noqa: A002 - as above
        partition: Number,
        offset: Number,
    ) -> Response:
        """The proof that an entry is in the log, without its message."""
        path = f"/logs/{topic}/{id}/{partition}/proof/{offset}"
        return file(request, door, path, f"{topic}-{partition}-{offset}.tlog-proof")


def contract_of(shelf: Shelf, product: str, port: str) -> Contract | None:
    """The contract of a port that is a topic, so that it has logs."""
    entry = shelf.entries.get(product)
    outputs = entry.product.outputs if entry is not None else ()
    its = (each.contract for each in outputs if each.name == port)
    return next((each for each in its if each.is_streamed), None)


def told(request: Request, template: str, make: Callable[[], Mapping[str, object]]) -> Response:
    """What is made, or why it cannot be."""
    try:
        return answer(request, template, make())
    except MeshError as error:
        return untold(request, error)


def file(request: Request, door: AuditDoor, path: str, name: str) -> Response:
    """A text of the audit service, to be kept under a name."""
    try:
        text = door.text(path)
    except MeshError as error:
        return untold(request, error)
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, headers=headers, media_type=TEXT)


def untold(request: Request, error: MeshError) -> Response:
    """Why the audit service tells nothing, in its sentence."""
    document, status = {"detail": str(error)}, answer_error(request, error).status_code
    if not is_page(request):
        return write_json(document, status)
    template = "missing.html" if isinstance(error, NotThere) else "unavailable.html"
    return page(template, {"document": document, "path": request.url.path, "question": ""}, status)
