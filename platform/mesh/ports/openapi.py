"""The OpenAPI 3.1 document of a product's door, made from its contracts.

Not here: what the paths do (`app`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mesh.contract.model import Contract, Field, Product
from mesh.ports.filters import SINGLE, operators_of
from mesh.ports.formats import FORMATS
from mesh.ports.jsonschema import Json, object_of, row_schema, type_schema
from mesh.ports.question import ALL, DEFAULT_LIMIT, MAX_ROWS, RESERVED

__all__ = ["openapi"]

MEANINGS = {
    "eq": "Equal to this, or to one of these.",
    "ne": "Another than this.",
    "gt": "Greater than this.",
    "gte": "This or greater.",
    "lt": "Less than this.",
    "lte": "This or less.",
    "prefix": "Begins with this.",
    "is_null": "Whether it is empty.",
}
DOCUMENTS = {
    "/status": "State, rows, lag and freshness, in short",
    "/discoverability": "The descriptor, the contracts, and where each port is",
    "/observability": "State, rows, lag, freshness, offsets and quarantine",
    "/observability/lineage": "What its runs read and wrote, as OpenLineage events",
    "/dictionary": "Every field with its type and meaning, and masked samples",
    "/control": "Whether the product is paused, by whom and why",
    "/openapi.json": "This document",
}


def openapi(product: Product, contracts: Mapping[str, Contract]) -> Json:
    """The document of *product*, whose ports have these contracts."""
    paths: Json = {}
    for port, contract in contracts.items():
        paths[f"/ports/{port}/rows"] = {"get": rows_operation(port, contract)}
        paths[f"/ports/{port}/rows/{{key}}"] = {"get": key_operation(port, contract)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": product.name,
            "version": product.version,
            "description": product.description,
            "contact": {"email": product.owner},
        },
        "paths": paths | management_paths(),
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
            "schemas": {
                "error": object_of({"detail": {"type": "string"}}),
                **{contract.id: row_schema(contract) for contract in contracts.values()},
            },
        },
    }


def rows_operation(port: str, contract: Contract) -> Json:
    """Reading a port."""
    own = [
        parameter("limit", f"1 to {MAX_ROWS}, or `{ALL}` for every row, in no order.",
                  {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ROWS},
                             {"const": ALL}], "default": DEFAULT_LIMIT}),
        parameter("cursor", "`next` of the page before.", {"type": "string"}),
        *choices(contract),
    ]  # fmt: skip
    filters = [each for field in contract.fields for each in filters_of(field)]
    return {
        "operationId": f"read-{port}",
        "summary": contract.description,
        "description": "In order of key; a page says the offsets for which its rows are true.",
        "security": [{"token": []}],
        "parameters": [*own, *filters],
        "responses": answers(contract, {"400": "The cursor is not of this question"}),
    }


def key_operation(port: str, contract: Contract) -> Json:
    """Reading one key."""
    keys = ", ".join(each.name for each in contract.key_fields)
    text = f"The key as messages have it ({keys}); a JSON array where it has several fields."
    key = {"name": "key", "in": "path", "required": True, "description": text,
           "schema": {"type": "string"}}  # fmt: skip
    return {
        "operationId": f"read-{port}-by-key",
        "summary": "What one key has",
        "security": [{"token": []}],
        "parameters": [key, *choices(contract)],
        "responses": answers(contract, {"404": "No row has this key"}),
    }


def choices(contract: Contract) -> list[Json]:
    """Which columns, and in which format."""
    names = [each.name for each in contract.fields]
    fields = {"type": "array", "items": {"enum": names}}
    comma = {"style": "form", "explode": False}
    return [
        parameter("fields", "These columns only.", fields) | comma,
        parameter("format", "Stronger than Accept.", {"enum": list(FORMATS)}),
    ]


def parameter(name: str, text: str, schema: Json) -> Json:
    """One parameter of a query."""
    return {"name": name, "in": "query", "description": text, "schema": schema}


def filters_of(field: Field) -> Iterator[Json]:
    """What may be asked of a field."""
    value = type_schema(field.type, is_required=True)
    for operator in operators_of(field):
        is_plain = operator == "eq" and field.name not in RESERVED
        name = field.name if is_plain else f"{field.name}.{operator}"
        schema = {"type": "boolean"} if operator == "is_null" else value
        if operator not in SINGLE:
            schema = {"type": "array", "items": schema}
        text = f"{MEANINGS[operator]} {field.description}".strip()
        yield parameter(name, text, schema)


def answers(contract: Contract, others: Mapping[str, str]) -> Json:
    """Every answer to a question about rows."""
    text = {"schema": {"type": "string"}}
    binary: Json = {}
    document = object_of(
        {
            "columns": {"type": "array", "items": {"type": "string"}},
            "rows": {
                "type": "array",
                "description": f"Values in the order of `columns`, as in {contract.id}.",
                "items": {"type": "array"},
            },
            "offsets": {"type": "object", "description": "Next offset by topic and partition."},
            "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
        }
    )
    content = {"json": {"schema": document}, "csv": text, "arrow": binary, "parquet": binary}
    names = {"ETag": "Another one after every batch", "Mesh-Offsets": "`offsets`, as JSON",
             "Mesh-Next": "`next`", "Link": "The next page"}  # fmt: skip
    headers = {name: {"description": what, **text} for name, what in names.items()}
    errors = {"401": "The token is not good", "403": "The port is not granted",
              "406": "No such format", "422": "The question does not fit the contract",
              "503": "Too much at once; try again", **others}  # fmt: skip
    return {
        "200": {
            "description": "Rows, and the offsets for which they are true",
            "headers": headers,
            "content": {media: content[name] for name, media in FORMATS.items()},
        },
        "304": {"description": "Nothing has changed since the ETag in If-None-Match"},
        **{status: refusal(what) for status, what in errors.items()},
    }


def refusal(text: str) -> Json:
    """An answer that says why not."""
    schema = {"$ref": "#/components/schemas/error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def management_paths() -> Json:
    """The management ports."""
    anything = {"application/json": {"schema": {"type": "object"}}}
    paths: Json = {
        path: {"get": {"summary": what, "responses": {"200": {"description": what,
                                                              "content": anything}}}}
        for path, what in DOCUMENTS.items()
    }  # fmt: skip
    text = {"text/plain": {"schema": {"type": "string"}}}
    ok = {"description": "In the text format of Prometheus", "content": text}
    paths["/metrics"] = {"get": {"summary": "The figures", "responses": {"200": ok}}}
    owners, erases = "for the product's owners and itself", "for whoever erases"
    verbs = (
        ("pause", "Take nothing in from now on", owners),
        ("resume", "Go on", owners),
        ("rewrite", "Write the storage anew, without what was deleted from it", erases),
    )
    for verb, what, who in verbs:
        paths[f"/control/{verb}"] = {
            "post": {
                "summary": f"{what}; {who}",
                "security": [{"token": []}],
                "responses": {
                    "200": {"description": "What is true now", "content": anything},
                    "401": refusal("The token is not good"),
                    "403": refusal("Who asks may not"),
                },
            }
        }
    return paths | {"/graphql": {"post": graphql_operation()}}


def graphql_operation() -> Json:
    """GraphQL, which describes itself."""
    text: Json = {"type": "string"}
    question = object_of({"query": text}) | {
        "properties": {"query": text, "variables": {"type": ["object", "null"]},
                       "operationName": {"type": ["string", "null"]}}
    }  # fmt: skip
    answer = {"type": "object", "properties": {"data": {}, "errors": {"type": "array"}}}
    return {
        "operationId": "graphql",
        "summary": "The same rows in GraphQL",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": question}}},
        "responses": {
            "200": {"description": "Data, errors, or both",
                    "content": {"application/json": {"schema": answer}}},
            "401": refusal("The token is not good"),
            "403": refusal("No port of this product is granted"),
            "404": refusal("GraphQL is not installed here"),
            "422": refusal("This is no question"),
            "503": refusal("Too much at once; try again"),
        },
    }  # fmt: skip
