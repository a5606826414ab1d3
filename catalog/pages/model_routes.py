"""The pages of an algorithm: how it judges, and what it learnt from; by its published records.

    GET /products/payment-risk/model-card?run=RUN
    GET /products/payment-risk/data-sheet?run=RUN

The records are asked of the SQL access point as whoever is signed in, so who was not granted
them sees nothing. Not here: what stands in the pages (`models`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from catalog.login import Person
from catalog.pages.curves import curves_of
from catalog.pages.models import card_document, chosen, runs_of, sheet_document
from catalog.pages.routes import missing
from catalog.pages.signed import Text, Work, link, show, strangers_page
from catalog.shelf import Shelf
from mesh.contract.model import Contract
from mesh.contract.sql import SQL_SERVICE
from mesh.errors import MeshError, Refused
from mesh.product.duck import quoted

__all__ = ["model_pages"]

MOST_RUNS = 50
Record = Mapping[str, Any]
Made = Callable[[Shelf, Contract, list[Record], Record], tuple[dict[str, Any], dict[str, Any]]]


def model_pages(work: Work) -> APIRouter:
    """Both pages of every product that publishes records of its runs."""
    router = APIRouter(include_in_schema=False)

    def add(name: str, template: str, made: Made) -> None:
        @router.get(f"/products/{{id}}/{name}")
        async def get_page(request: Request, id: str, run: Text = "") -> Response:  # noqa: A002 - the path's parameter
            """The page of the newest run, or of *run*."""
            shelf = work.shelf()
            product = shelf.project.products.get(id)
            contract = None if product is None else runs_of(product)
            if contract is None:
                return missing(request, "algorithm", id)
            person = work.person(request)
            if person is None:
                return strangers_page(request, link(f"/products/{id}/{name}", run=run))
            try:
                records = await records_of(work, person, contract)
                document, extras = made(shelf, contract, records, chosen(records, run))
            except MeshError as error:
                return show(request, "unavailable.html", {}, error)
            return show(request, template, {"principal": person.name, **document}, **extras)

    add("model-card", "model_card.html", card)
    add("data-sheet", "data_sheet.html", sheet)
    return router


def card(
    _: Shelf, contract: Contract, records: list[Record], record: Record
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The model card, and its plots."""
    document = card_document(contract, records, record)
    groups = document["groups"]
    return document, {
        "roc": curves_of(
            {each["name"]: each["roc"] for each in groups},
            across="of those who pay, the share that is suspected",
            up="of those who do not, the share that is found",
        ),
        "calibration": curves_of(
            {each["name"]: each["calibration"] for each in groups},
            across="score",
            up="share that did not pay",
        ),
    }


def sheet(
    shelf: Shelf, contract: Contract, _: list[Record], record: Record
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The data sheet."""
    return sheet_document(shelf.project, contract, record), {}


async def records_of(work: Work, person: Person, contract: Contract) -> list[Record]:
    """The newest records that a person may read. Raises `Refused` for who may not."""
    told, _ = await work.services.ask(person, SQL_SERVICE, "GET /tables")
    table = next((each["name"] for each in told["tables"] if each["port"] == contract.id), None)
    if table is None:
        raise Refused(
            f"{person.name} is not granted {contract.id}: ask for it on the page of"
            f" {contract.product}"
        )
    name = ".".join(map(quoted, table.split(".")))
    sql = f"select * from {name} order by as_of desc, run_id limit {MOST_RUNS}"
    said, _ = await work.services.ask(
        person, SQL_SERVICE, "POST /sql?format=json", {"sql": sql, "explain": False}
    )
    return [dict(zip(said["columns"], row, strict=True)) for row in said["rows"]]
