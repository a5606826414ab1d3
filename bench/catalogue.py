"""The catalogue under load: 500 products of 10 ports; search in process, pages in process.

    PYTHONPATH=platform:. python -m bench.catalogue [--products 500]

A search stands beside a scan of the same texts with rapidfuzz alone, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx
from fastapi import FastAPI
from rapidfuzz import fuzz, process

from bench.many import many
from bench.measure import report, say
from catalog.negotiation import JsonByName
from catalog.pages.index import Index, make_index
from catalog.pages.map import map_picture
from catalog.pages.routes import pages_router
from catalog.pages.search import search
from catalog.shelf import Shelf

QUESTIONS = (
    "phone number", "invoices", "invocies", "late", "contract", "settled figures of the domain",
    "n", "the customer", "email", "team-7@telco.example", "numbr of what happend", "sales",
    "device id", "closed orders", "priced shipments 12", "xylophone", "amount currency region",
)  # fmt: skip
ROUNDS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=500)
    shelf = many(parser.parse_args().products)
    began = time.perf_counter()
    index = make_index(shelf)
    say(f"index: {len(index.vocabulary):,} words of {len(index.places):,} texts")
    result: dict[str, object] = {
        "products": len(shelf.entries),
        "ports": sum(len(each.product.outputs) for each in shelf.entries.values()),
        "index_s": round(time.perf_counter() - began, 2),
        "search_ms": spread(searches(index)),
        "scan_ms": spread(scans(index)),
        "pages_ms": asyncio.run(pages(shelf)),
    }
    picture = map_picture(shelf)
    result["map"] = {"tiles": len(picture.tiles), "px": [picture.width, picture.height]}
    report("catalogue", result)


def searches(index: Index) -> list[float]:
    """The seconds of every question, several times."""
    return [timed(lambda each=each: search(index, each)) for each in QUESTIONS * ROUNDS]  # type: ignore[misc]  # bound early


def scans(index: Index) -> list[float]:
    """The reference: the best 50 of all texts by rapidfuzz alone, without ranks or reasons."""
    texts = [each.text for each in index.places]

    def scan(question: str) -> object:
        return process.extract(question, texts, scorer=fuzz.partial_ratio, limit=50)

    return [timed(lambda each=each: scan(each)) for each in QUESTIONS]  # type: ignore[misc]  # bound early


async def pages(shelf: Shelf) -> dict[str, object]:
    """The milliseconds of each page as HTML and JSON, through the application without a socket."""
    app = FastAPI()
    app.add_middleware(JsonByName)
    app.include_router(pages_router(lambda: shelf))
    product = sorted(shelf.entries)[len(shelf.entries) // 2]
    paths = (
        "/policies", "/", "/search?q=phone+number", "/products", f"/products/{product}", "/map",
        "/map?domain=sales", "/identifiers/phone-number", "/owners",
    )  # fmt: skip
    found: dict[str, object] = {}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://catalogue") as client:
        for path in paths:
            for form in ("text/html", "application/json"):
                took = []
                for _ in range(ROUNDS + 1):
                    began = time.perf_counter()
                    answer = await client.get(path, headers={"Accept": form})
                    took.append(time.perf_counter() - began)
                answer.raise_for_status()
                found[f"{path} {form}"] = spread(took[1:])
    return found


def timed(action: Callable[[], Any]) -> float:
    """The seconds that *action* took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and the worst, in milliseconds."""
    ordered = sorted(seconds)
    places = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    last = len(ordered) - 1
    return {name: round(ordered[round(last * part)] * 1000, 1) for name, part in places.items()}


if __name__ == "__main__":
    main()
