"""The key ring's own routes: one question, or a table of them.

    GET  /resolve?from=phone:%2B31612345678&to=person&role=payer&at=2026-03-01
    POST /resolve?from=phone&to=contract      an Arrow stream with the columns id and at

Whoever is granted the port `links` may ask (Authorization: Bearer TOKEN).
"""

from __future__ import annotations

import json
import threading
from typing import Annotated

import pyarrow as pa
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from mesh.contract.questions import instant_in, type_called
from mesh.errors import WrongUse
from mesh.ports.own import Own
from products.key_ring.bulk import resolve_all
from products.key_ring.chains import Chains
from products.key_ring.question import document_of, read_question, text_of
from products.key_ring.resolve import resolve
from products.key_ring.ring import Ring

__all__ = ["Service", "routes"]

# At the module's level, where FastAPI looks up what annotations name.
BEARER = HTTPBearer()
Login = Annotated[HTTPAuthorizationCredentials, Depends(BEARER)]
PORT = "links"
ARROW = "application/vnd.apache.arrow.stream"
MOST_BYTES = 32 * 1024 * 1024


class Service:
    """The ring of one running product, kept up to date batch by batch."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._ring = Ring()
        self._chains = Chains(())
        self._bulk = threading.Lock()
        self.replaced()

    def replaced(self) -> None:
        """Read the ring anew."""
        ring = Ring()
        with self._own.reader() as reader:
            ring.put(reader.sql("select * from main.links").to_arrow_table())
            ring.put_disputes(reader.sql("select * from main.conflicts").to_arrow_table())
        self._ring = ring

    def changed(self, port: str, rows: pa.Table, gone: pa.Table) -> None:
        """Take in what a batch has changed."""
        keys = [tuple(each.values()) for each in gone.to_pylist()]
        if port == PORT:
            self._ring.drop(keys)
            self._ring.put(rows)
        else:
            self._ring.drop_disputes(keys)
            self._ring.put_disputes(rows)

    @property
    def chains(self) -> Chains:
        """The chains over the relations that there are now."""
        relations = self._own.relations()
        if set(relations) != set(self._chains.relations):
            self._chains = Chains(relations)
        return self._chains

    def ask(self, asked: dict[str, str]) -> dict[str, object]:
        """Answer one question. Raises `WrongUse` where it must say more."""
        chains, offsets = self.chains, self._own.offsets()
        question = read_question(asked, self._own.identifiers, chains)
        chain = chains.find(question.start_type, question.end_type, question.role)
        answer = resolve(self._ring, chain, question.start, question.at, question.known_at)
        return {**document_of(question, answer), "offsets": offsets}

    def ask_all(self, asked: dict[str, str], body: bytes) -> bytes:
        """Answer a table of questions. Raises `WrongUse` where it is none."""
        chains = self.chains
        start, end = (
            type_called(asked.get(name, ""), self._own.identifiers, chains.relations)
            for name in ("from", "to")
        )
        chain = chains.find(start, end, asked.get("role"))
        known_at = text_of(instant_in(asked["known_at"])) if "known_at" in asked else None
        # One at a time: each may take as much memory as the product may have.
        with self._bulk, self._own.reader() as reader:
            found = resolve_all(reader, chain, questions_in(body), known_at)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, found.schema) as stream:
            stream.write_table(found)
        answer: bytes = sink.getvalue().to_pybytes()
        return answer


def questions_in(body: bytes) -> pa.Table:
    """The table of questions. Raises `WrongUse` where it is not one."""
    try:
        table = pa.ipc.open_stream(body).read_all()
        return table.select(["id", "at"]).cast(
            pa.schema([("id", pa.string()), ("at", pa.timestamp("us", "UTC"))])
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, KeyError, OSError) as error:
        raise WrongUse(
            "send an Arrow stream with the columns id (text) and at (timestamp): "
            f"{str(error).splitlines()[0][:200]}"
        ) from error


def routes(own: Own) -> APIRouter:
    """What the key ring answers beside its rows."""
    router = APIRouter()
    service = Service(own)
    own.listen(service)

    @router.get("/resolve")
    async def get_resolve(request: Request, login: Login) -> Response:
        """One question."""
        own.allow(PORT, login.credentials)
        document = service.ask(dict(request.query_params))
        return Response(json.dumps(document, ensure_ascii=False), media_type="application/json")

    @router.post("/resolve")
    async def post_resolve(request: Request, login: Login) -> Response:
        """A table of questions."""
        own.allow(PORT, login.credentials)
        if int(request.headers.get("content-length") or MOST_BYTES + 1) > MOST_BYTES:
            raise WrongUse(f"send at most {MOST_BYTES:,} bytes at once, and say how many")
        body = await request.body()
        found = await run_in_threadpool(service.ask_all, dict(request.query_params), body)
        return Response(found, media_type=ARROW)

    return router
