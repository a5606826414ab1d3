"""The contract that is inferred from a file, as a document: a draft for its owner.

Not here: the files (`dump_files`), what was found (`dump_guess`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mesh.contract.field_type import FieldType, Part
from mesh.contract.names import to_snake
from mesh.product.dump_guess import ROW_NUMBER, Found, Guessed

__all__ = ["Raw", "contract_document", "quotable", "typed"]

LOGICAL: dict[str, dict[str, object]] = {
    "string": {"logicalType": "string"},
    "uuid": {"logicalType": "string", "logicalTypeOptions": {"format": "uuid"}},
    "int32": {"logicalType": "integer", "logicalTypeOptions": {"format": "i32"}},
    "int64": {"logicalType": "integer"},
    "float32": {"logicalType": "number", "logicalTypeOptions": {"format": "f32"}},
    "float64": {"logicalType": "number"},
    "boolean": {"logicalType": "boolean"},
    "date": {"logicalType": "date"},
    "timestamp": {"logicalType": "timestamp"},
}
PURPOSE = "To be said by the owner; until then, find out whether the data is of use."


def typed(type_: FieldType) -> dict[str, object]:
    """A type in the words of ODCS."""
    if type_.kind == "list" and type_.item:
        return {"logicalType": "array", "items": part_of(type_.item)}
    if type_.kind == "struct":
        parts = [{"name": each.name, **part_of(each)} for each in type_.parts]
        return {"logicalType": "object", "properties": parts}
    if type_.kind == "decimal":
        precise = f"decimal({type_.precision},{type_.scale})"
        return {"logicalType": "number", "physicalType": precise}
    return dict(LOGICAL[type_.kind])


def part_of(part: Part) -> dict[str, object]:
    """What a list holds, or a field of a record."""
    return {**typed(part.type), "required": part.is_required}


def row_number() -> dict[str, object]:
    """The key where nothing in the file is one."""
    return {
        "name": ROW_NUMBER,
        "logicalType": "integer",
        "description": "Where the row stands in the file, from 1; no column tells rows apart.",
        "required": True,
        "primaryKey": True,
    }


def property_of(found: Found, key: tuple[str, ...]) -> dict[str, object]:
    """One field of the contract."""
    name = found.column.name
    document: dict[str, object] = {"name": name, **typed(found.type)}
    if found.column.header:
        document["description"] = f"The column {quotable(found.column.header)!r} of the file."
    if name in key:
        document |= {"required": True, "primaryKey": True}
        document |= {"primaryKeyPosition": key.index(name) + 1} if len(key) > 1 else {}
    if found.identifier is not None:
        custom: list[dict[str, object]] = [
            {"property": "identifier", "value": found.identifier.name}
        ]
        if found.identifier.is_personal:
            document["classification"] = "confidential"
            custom.append({"property": "personal", "value": True})
        document["customProperties"] = custom
    return document


def port_of(raw: Raw, fields: list[dict[str, object]]) -> dict[str, object]:
    """The schema of the port, and how often it is delivered."""
    return {
        "schema": [
            {
                "name": to_snake(raw.port),
                "physicalType": "parquet",
                "physicalName": raw.topic,
                "description": "One row per row of the delivered file.",
                "properties": fields,
            }
        ],
        "slaProperties": [
            {
                "property": "frequency",
                "value": raw.every_days,
                "unit": "d",
                "description": "How often a delivery is due.",
            }
        ],
    }


def contract_document(raw: Raw, guessed: Guessed) -> dict[str, object]:
    """The ODCS contract of the batch port."""
    fields = [property_of(each, guessed.key) for each in guessed.fields]
    if ROW_NUMBER in guessed.key:
        fields.insert(0, row_number())
    is_personal = any(each.identifier and each.identifier.is_personal for each in guessed.fields)
    custom = [{"property": "portKind", "value": "batch"}, {"property": "access", "value": "ask"}]
    if is_personal:
        custom.append({"property": "purpose", "value": PURPOSE})
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": raw.contract,
        "name": raw.title,
        "version": "1.0.0",
        "status": "draft",
        "domain": raw.domain,
        "description": {
            "purpose": f"Raw data of the domain {raw.domain}, as it came in {quotable(raw.file)}.",
            "usage": "Find out whether it is of use; ask its owner for more.",
            "limitations": "A draft: names, types and key were inferred from the file.",
        },
        "servers": [
            {
                "server": "files",
                "type": "local",
                "path": f"data/{raw.port}/current.parquet",
                "format": "parquet",
            }
        ],
        **port_of(raw, fields),
        "team": {"name": raw.title, "members": [{"username": raw.owner, "role": "owner"}]},
        "customProperties": custom,
    }


def quotable(text: str) -> str:
    """A text from outside as it may stand in a comment."""
    return "".join(each if each.isprintable() else "?" for each in text)[:200]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """What a raw product is called, and whose it is. *every* is its schedule, in days."""

    product: str
    domain: str
    port: str
    owner: str
    every_days: int
    file: str

    @property
    def topic(self) -> str:
        """The port's public name, which would be its topic if it became a stream."""
        return f"pub.{self.domain}.{self.product}.{self.port}.v1"

    @property
    def contract(self) -> str:
        """The contract's id."""
        return f"{self.product}.{self.port}"

    @property
    def title(self) -> str:
        """The product's name for people."""
        return self.product.replace("-", " ").capitalize()
