"""Values made up for the fields of a contract: small, told apart by a number, and of its rules.

Rules over several fields are left to whoever checks the row. Not here: the rows (`new_cases`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mesh.contract.field_type import FieldType
from mesh.contract.identifiers import Identifier
from mesh.contract.model import Contract, Field

__all__ = ["custom_of", "properties_of", "value_of"]

# One piece of a pattern, and how often it stands: `[A-Z]{2,}`, `\d+`, `C`.
PIECE = re.compile(
    r"(\[\^?\]?(?:\\.|[^\]\\])*\]|\\.|[^\\\[\](){}*+?|^$])(\{(\d+)(?:,\d*)?\}|[*+?])?"
)
# One of several: `^(P-[0-9]+|H-[0-9]+)$`.
CHOICES = re.compile(r"\^\(([^()]*)\)\$")
LETTERS = "0123456789aAbBcC-_.@+:/ "


def value_of(
    contract: Contract, field: Field, number: int, identifiers: Mapping[str, Identifier]
) -> object:
    """The value *number* of a field, from 1; as YAML writes it."""
    given = properties_of(contract).get(field.name, {})
    if "enum" in given:
        values = [each["value"] for each in given["enum"]]
        return values[(number - 1) % len(values) if field.key_position else 0]
    options = given.get("logicalTypeOptions") or {}
    if field.type.kind == "string":
        known = identifiers.get(field.identifier or "")
        pattern = options.get("pattern") or (known.format if known else None)
        found = fitting(str(pattern), number) if pattern else None
        text = found or f"{field.name.replace('_', '-')}-{number}"
        return text.ljust(int(options.get("minLength", 0)), "x")[: options.get("maxLength")]
    if field.type.kind in ("int32", "int64", "float32", "float64", "decimal"):
        least = options.get("minimum", options.get("exclusiveMinimum", 0))
        return min(max(int(least), 0) + number, options.get("maximum", number + max(int(least), 0)))
    return plain(field.type, number)


def plain(type_: FieldType, number: int) -> object:
    """A value of a type that has no rules here."""
    if type_.kind == "struct":
        return {each.name: plain(each.type, number) for each in type_.parts if each.is_required}
    values: dict[str, object] = {
        "uuid": f"00000000-0000-4000-8000-{number:012d}",
        "string": f"text-{number}",
        "boolean": False,
        "date": f"2026-03-{number:02d}",
        "timestamp": f"2026-03-{number:02d}T09:00:00Z",
        "list": [],
    }
    return values.get(type_.kind, number)


def fitting(pattern: str, number: int) -> str | None:
    """The shortest text of a plain *pattern* that ends in *number*, if that can be told."""
    if choices := CHOICES.fullmatch(pattern):
        found = (fitting(f"^{each}$", number) for each in choices[1].split("|"))
        return next((each for each in found if each is not None), None)
    pieces = []
    for piece, times, least in PIECE.findall(pattern):
        letter = next((each for each in LETTERS if re.fullmatch(piece, each)), piece)
        count = int(least) if least else {"": 1, "+": 1}.get(times, 0)
        pieces.append((piece, letter * count))
    for place in reversed(range(len(pieces))):
        text = "".join(each for _, each in pieces[:place])
        piece, letters = pieces[place]
        digits = str(number)
        if len(letters) >= len(digits) and re.fullmatch(f"(?:{piece})*", digits):
            text += letters[: len(letters) - len(digits)] + digits
            text += "".join(each for _, each in pieces[place + 1 :])
            return text if re.search(pattern, text) else None
    return None


def properties_of(contract: Contract) -> dict[str, Mapping[str, Any]]:
    """What the contract's document says of each field."""
    schema = contract.document.get("schema")
    properties = schema[0]["properties"] if isinstance(schema, list) else []
    return {str(each["name"]): each for each in properties}


def custom_of(contract: Contract, name: str) -> object:
    """The value of a customProperty of the contract."""
    customs = contract.document.get("customProperties")
    found = customs if isinstance(customs, list) else []
    return next((each["value"] for each in found if each["property"] == name), None)
