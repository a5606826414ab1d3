"""`mesh read --through graphql`: the rows of a port in GraphQL, as the document that REST gives.

Not here: the door (`mesh.ports.graphql_door`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mesh.cli.doors import answer
from mesh.contract.field_type import FieldType
from mesh.contract.model import Contract, Field
from mesh.errors import MeshError, Refused, WrongUse
from mesh.ports.question import question_of

__all__ = ["read_graphql"]

PAGE_ROWS = 1000
WORDS: dict[str, object] = {"true": True, "false": False}
WHOLE = re.compile(r"-?[0-9]{1,10}")


def read_graphql(
    address: str,
    token: str,
    contract: Contract,
    limit: int | None,
    filters: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """Columns, rows, offsets and cursor, page after page up to *limit*, or to the end for None.

    The offsets are those of the last page. Raises `WrongUse` for what cannot be asked.
    """
    names = question_of(contract, filters, "").fields
    fields = [each for each in contract.fields if each.name in names]
    where = where_of(contract, [each for each in filters if each[0] != "fields"])
    found: list[dict[str, Any]] = []
    cursor, left = None, limit
    while True:
        wanted = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        variables = {"where": where, "limit": wanted, "cursor": cursor}
        page = ask(address, token, query_of(contract, fields), variables)
        found += page["rows"]
        cursor, left = page["next"], None if left is None else left - len(page["rows"])
        if cursor is None or left == 0:
            break
    offsets: dict[str, dict[str, int]] = {}
    for each in page["offsets"]:
        offsets.setdefault(each["topic"], {})[str(each["partition"])] = int(each["offset"])
    rows = [[as_rest(each.type, row[each.name]) for each in fields] for row in found]
    columns = [each.name for each in fields]
    return {"columns": columns, "offsets": offsets, "rows": rows, "next": cursor}


def ask(address: str, token: str, query: str, variables: Mapping[str, object]) -> dict[str, Any]:
    """The one field of a document. Raises the error that the door says."""
    document: Any = answer(
        "POST",
        f"{address}/graphql",
        headers={"Authorization": f"Bearer {token}"},
        json={"query": query, "variables": variables},
    )
    for error in document.get("errors", ()):
        status = error.get("extensions", {}).get("status", 422)
        kind = Refused if status in (401, 403) else WrongUse if status < 500 else MeshError
        raise kind(f"{address}: {error['message']}")
    found: dict[str, Any] = document["data"]["port"]
    return found


def query_of(contract: Contract, fields: Sequence[Field]) -> str:
    """A document that reads these fields, and whatever is in them."""
    port = re.sub(r"[-.]", "_", contract.port)
    kind = "".join(word.capitalize() for word in port.split("_"))
    selected = " ".join(selection(each.name, each.type) for each in fields)
    return (
        f"query ($where: {kind}Where, $limit: Int!, $cursor: String) {{"
        f"port: {port}(where: $where, limit: $limit, cursor: $cursor)"
        f"{{rows {{{selected}}} next offsets {{topic partition offset}}}}}}"
    )


def selection(name: str, type_: FieldType) -> str:
    """A field with all parts of a record in it."""
    while type_.item is not None:
        type_ = type_.item.type
    parts = " ".join(selection(each.name, each.type) for each in type_.parts)
    return f"{name} {{{parts}}}" if parts else name


def where_of(contract: Contract, filters: Sequence[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """Parameters of REST as GraphQL asks them."""
    kinds = {each.name: each.type.kind for each in contract.fields}
    where: dict[str, dict[str, Any]] = {}
    for name, text in filters:
        word, _, operator = name.partition(".")
        asked = where.setdefault(word, {})
        value: object = text
        if operator == "is_null" or kinds.get(word) == "boolean":
            value = WORDS.get(text, text)
        elif kinds.get(word) == "int32" and WHOLE.fullmatch(text):
            value = int(text)
        if operator in ("", "eq", "ne"):
            asked.setdefault(operator or "eq", []).append(value)
        else:
            asked[operator] = value
    return where


def as_rest(type_: FieldType, value: Any) -> Any:
    """A value as REST has it, where a whole number of 64 bits is no text."""
    if value is None:
        return None
    if type_.item is not None:
        return [as_rest(type_.item.type, each) for each in value]
    if type_.parts:
        return {each.name: as_rest(each.type, value[each.name]) for each in type_.parts}
    return int(value) if type_.kind == "int64" else value
