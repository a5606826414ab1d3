"""The ladder over HTTP: where every product stands, and why; and the clock of a drill.

    GET  /ladder              every product's rung and next step
    GET  /ladder/call-center  with its evidence
    POST /clock               {"by_s": 86400, "every_s": 840, "products": []}, in a drill

Not here: the rungs (`mesh.contract.ladder`), what was seen (`evidence`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from catalog.answers import ID, Problem
from catalog.asking import Check, speaker
from catalog.observing import Observer
from catalog.pages.product import standing_document, tests_document
from catalog.shelf import Entry, Shelf
from mesh.errors import Refused, WrongUse
from mesh.ports.refusals import NotThere

__all__ = ["clock_routes", "ladder_routes"]

Id = Annotated[str, Path(pattern=ID, max_length=63)]
MOST_LOOKS = 1000
LONGEST = timedelta(days=30)
NOT_THERE: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such product."},
    422: {"model": Problem, "description": "The id is no name."},
}
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "The token speaks for nobody."},
    403: {"model": Problem, "description": "Who asks owns no product, or no drill is allowed."},
    422: {"model": Problem, "description": "Too far, or in too many steps."},
    503: {"model": Problem, "description": "Kafka does not answer."},
}


class Move(BaseModel):
    """How far the clock is moved ahead, in which steps, and at what one looks; at all, if empty."""

    by_s: float = Field(gt=0, le=LONGEST.total_seconds())
    every_s: float = Field(default=LONGEST.total_seconds(), ge=1)
    products: list[Annotated[str, Field(pattern=ID)]] = Field(default=[], max_length=MOST_LOOKS)


def ladder_routes(shelves: Callable[[], Shelf]) -> APIRouter:
    """Where the products of the shelf stand, which is for everybody."""
    routes = APIRouter()

    @routes.get("/ladder")
    def get_ladder() -> dict[str, object]:
        """Every product with its rung, what it was seen to be, and its next step."""
        entries = sorted(shelves().entries.items())
        return {"products": [head_of(each) for _, each in entries]}

    @routes.get("/ladder/{id}", responses=NOT_THERE)
    def get_standing(id: Id) -> dict[str, object]:  # noqa: A002 - the name of the path's parameter
        """One product's rung with its evidence."""
        entry = shelves().entries.get(id)
        if entry is None:
            raise NotThere(f"there is no product {id}: `/ladder` lists all")
        return {
            **head_of(entry),
            "standing": standing_document(entry),
            "tests": tests_document(entry),
        }

    return routes


def head_of(entry: Entry) -> dict[str, object]:
    """A product in the list."""
    standing, observed = entry.standing, entry.observed
    return {
        "id": entry.product.id,
        "domain": entry.product.domain,
        "owner": entry.product.owner,
        "rung": None if standing is None else standing.rung,
        "next_step": None if standing is None else standing.next_step,
        "state": None if observed is None else observed.state,
        "observed_at": None if observed is None else observed.observed_at.isoformat(),
    }


def clock_routes(
    observer: Observer, check: Check, owners: Callable[[], frozenset[str]]
) -> APIRouter:
    """The clock of a drill. *owners* are those who may move it: it moves for everybody."""
    routes = APIRouter()

    @routes.post("/clock", responses=REFUSALS, openapi_extra={"security": [{"token": []}]})
    async def post_clock(request: Request, move: Move) -> Mapping[str, object]:
        """Move the catalogue's clock ahead, and look at every product after each step."""
        principal = await run_in_threadpool(speaker, request, check)
        if not observer.clock.is_movable:
            raise Refused("this clock is not to be moved: start the mesh with MESH_MOVABLE_CLOCK")
        if principal not in await run_in_threadpool(owners):
            raise Refused(f"{principal} owns no product: only who owns one may hold a drill")
        by, every = timedelta(seconds=move.by_s), timedelta(seconds=min(move.every_s, move.by_s))
        if math.ceil(by / every) > MOST_LOOKS:
            raise WrongUse(f"that is more than {MOST_LOOKS} looks: move in several times")
        looks = await run_in_threadpool(observer.drill, by, every, move.products)
        clock = observer.clock
        return {
            "now": clock.now().isoformat(),
            "ahead_s": clock.ahead.total_seconds(),
            "looks": looks,
        }

    return routes
