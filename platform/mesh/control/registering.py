"""Sends descriptors to the catalogue over HTTP: what `mesh register` and `mesh up` do.

Not here: what the catalogue makes of them, and how files become descriptors
(`mesh.contract.descriptor`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from mesh.backbone.direct import direct
from mesh.contract.descriptor import Descriptor
from mesh.contract.model import Product
from mesh.contract.odps import DESCRIPTOR
from mesh.errors import MeshError, Refused, Unreachable, WrongUse

__all__ = ["ask_catalogue", "product_folders", "put_descriptor", "sources_first"]

TIMEOUT_S = 60.0
MAX_PRODUCTS = 2000


def put_descriptor(address: str, token: str, descriptor: Descriptor) -> Mapping[str, Any]:
    """Register *descriptor* at the catalogue at *address*; its verdict, a refusal too.

    Raises `Refused` where the token is not its owner's, `Unreachable` where nobody answers.
    """
    body = {
        "product": descriptor.product,
        "contracts": list(descriptor.contracts),
        "sql": dict(descriptor.sql),
    }
    return ask_catalogue("PUT", f"{address}/products/{descriptor.id}", token, body)


def ask_catalogue(
    method: str, url: str, token: str | None = None, body: object = None
) -> Mapping[str, Any]:
    """The catalogue's answer, or its verdict where it refuses. Raises as `put_descriptor` does."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.request(
            method, url, json=body, headers=headers, timeout=TIMEOUT_S, **direct(url)
        )
        document: Mapping[str, Any] = response.json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreachable(f"the catalogue does not answer at {url} ({error})") from error
    except ValueError as error:
        raise MeshError(f"{url} did not answer with JSON") from error
    if response.is_success or (response.status_code == 422 and "state" in document):
        return document
    detail = document.get("detail", response.status_code)
    text = f"the catalogue: {detail}"
    if response.status_code in (401, 403):
        raise Refused(text)
    raise WrongUse(text) if response.status_code in (404, 413, 422) else MeshError(text)


def product_folders(path: Path) -> list[Path]:
    """The products that *path* means: its own folder, a descriptor, or a whole checkout's.

    Raises `WrongUse` where there is none.
    """
    if path.name == DESCRIPTOR and path.is_file():
        return [path.parent]
    if (path / DESCRIPTOR).is_file():
        return [path]
    for below in (path / "products", path):
        if found := sorted(each.parent for each in below.glob(f"*/{DESCRIPTOR}")):
            return found[:MAX_PRODUCTS]
    raise WrongUse(f"there is no product in {path}: name a folder with {DESCRIPTOR}, or a checkout")


def sources_first(products: Mapping[str, Product]) -> Iterator[Product]:
    """Products in an order in which what one reads comes before it, as far as there is one."""
    owner = {one.id: each.id for each in products.values() for one in each.contracts}
    done: set[str] = set()

    def visit(product: Product) -> Iterator[Product]:
        if product.id in done:
            return
        done.add(product.id)
        for port in product.inputs:
            source = owner.get(port.contract_id)
            if source is not None:
                yield from visit(products[source])
        yield product

    for each in products.values():
        yield from visit(each)
