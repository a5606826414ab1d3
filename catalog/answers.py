"""The documents that the catalogue takes and gives over HTTP, and their shapes in its OpenAPI.

Not here: the routes (`api`), and what a descriptor promises (`mesh.contract.descriptor`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mesh.contract.descriptor import Descriptor

__all__ = [
    "ID",
    "PUT_BODY",
    "Accepted",
    "Listing",
    "Problem",
    "ProductDocument",
    "VerdictDocument",
    "descriptor_of",
]

ID = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$"

_TEXT_OR_OBJECT: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "object"}]}
PUT_BODY: dict[str, Any] = {
    "security": [{"token": []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["product", "contracts"],
                    "additionalProperties": False,
                    "properties": {
                        "product": {**_TEXT_OR_OBJECT, "description": "ODPS 1.1.0"},
                        "contracts": {
                            "type": "array",
                            "items": {**_TEXT_OR_OBJECT, "description": "ODCS 3.2.0"},
                        },
                        "sql": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }
            }
        },
    },
}


class Problem(BaseModel):
    """Why there is no answer, and what to do."""

    detail: Any


class FoundDocument(BaseModel):
    """One thing that a policy found."""

    rule: str
    place: str
    problem: str
    remedy: str


class VerdictDocument(BaseModel):
    """What an attempt met."""

    id: str
    state: Literal["accepted", "refused", "withdrawn"]
    via: Literal["event", "http"]
    digest: str
    findings: list[FoundDocument]
    warnings: list[FoundDocument]


class Accepted(VerdictDocument):
    """What an attempt met that was accepted."""


class ProductHead(BaseModel):
    """A product in the list of all."""

    model_config = ConfigDict(extra="allow")

    id: str
    domain: str
    version: str
    owner: str
    digest: str
    accepted_at: datetime


class ProductDocument(ProductHead):
    """A product with its whole descriptor."""

    descriptor: dict[str, Any]


class Listing(BaseModel):
    """Every product."""

    products: list[ProductHead]


def descriptor_of(id_: str, body: bytes) -> Descriptor | str:
    """The descriptor in the body of a PUT, or what is wrong with it."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"the body is not JSON ({str(error)[:200]}): send product, contracts and sql"
    if not isinstance(document, dict) or document.keys() - {"product", "contracts", "sql"}:
        return "the body is not a JSON object of product, contracts and sql"
    contracts, sql = document.get("contracts"), document.get("sql", {})
    product = text_of(document.get("product"))
    texts = [text_of(each) for each in contracts] if isinstance(contracts, list) else [None]
    if product is None or None in texts:
        return "`product` and each of the list `contracts` must be text or an object"
    if not isinstance(sql, dict) or not all(isinstance(each, str) for each in sql.values()):
        return "`sql` must have the text of each file by its name"
    return Descriptor(
        id=id_, product=product, contracts=tuple(each for each in texts if each), sql=sql
    )


def text_of(value: object) -> str | None:
    """A document as text, however it came; None where it is neither text nor an object."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping) else None
