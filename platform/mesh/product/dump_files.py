"""Writes the folder of a raw product: descriptor, contract and README, for its owner to edit.

The contract is a draft; what only a person knows stands in it as a question. Not here: what was
found in the file (`dump_guess`), the rows (`delivery`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from mesh.contract.field_type import FieldType
from mesh.contract.names import to_snake
from mesh.contract.odps import DESCRIPTOR, MANAGEMENT
from mesh.product.dump_guess import ROW_NUMBER, Found, Guessed

__all__ = ["Raw", "write_product"]

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
SAID = {
    "discoverability": "What the product offers, and its contracts.",
    "observability": "Deliveries, rows and quarantine.",
    "control": "Pause and resume.",
    "dictionary": "Every field of every port, with its type and meaning.",
}
PURPOSE = "To be said by the owner; until then, find out whether the data is of use."


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


def write_product(folder: Path, raw: Raw, guessed: Guessed) -> None:
    """Write all files of the product into *folder*, which is there and empty."""
    (folder / "contracts").mkdir()
    questions = "".join(f"# - {each}\n" for each in questions_of(guessed))
    head = (
        f"# Made by `mesh dump` from {quotable(raw.file)}, to be edited by its owner.\n"
        "# Its `status: active` says that the owner accepts it; before, have an answer to:\n"
        f"{questions}"
    )
    contract = head + as_yaml(contract_document(raw, guessed))
    path = folder / "contracts" / f"{to_snake(raw.port)}.odcs.yaml"
    path.write_text(contract, encoding="utf-8")
    (folder / DESCRIPTOR).write_text(as_yaml(descriptor_document(raw)), encoding="utf-8")
    (folder / "README.md").write_text(readme(raw), encoding="utf-8")
    (folder / "__init__.py").write_text(f'"""{raw.title}: a raw data product."""\n')


def as_yaml(document: dict[str, object]) -> str:
    """A document as text, in the order in which it was made."""
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=96)
    return text


def quotable(text: str) -> str:
    """A text from outside as it may stand in a comment."""
    return "".join(each if each.isprintable() else "?" for each in text)[:200]


def questions_of(guessed: Guessed) -> Iterator[str]:
    """What the owner should look at before accepting the contract."""
    yield "What is one row, and what is the data for? (`description:`, `purpose`)"
    key = ", ".join(guessed.key)
    others = " or ".join(", ".join(each) for each in guessed.other_keys)
    yield f"Is {key} the key?" + (f" It could be {others} too." if others else "")
    yield from guessed.notes
    for each in guessed.fields:
        name = each.column.name
        if each.identifier is not None:
            yield f"{name}: is it the identifier {each.identifier.name}?"
        if each.candidates:
            yield f"{name}: does it hold an identifier, {' or '.join(each.candidates)}?"
        if each.may_be_personal and not (each.identifier and each.identifier.is_personal):
            yield f"{name}: is it personal? (customProperty `personal`)"
        yield from (f"{name}: {note}" for note in each.notes)


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
        "team": {"name": raw.title, "members": [{"username": raw.owner, "role": "owner"}]},
        "customProperties": custom,
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


def typed(type_: FieldType) -> dict[str, object]:
    """A plain type in the words of ODCS."""
    if type_.kind == "decimal":
        precise = f"decimal({type_.precision},{type_.scale})"
        return {"logicalType": "number", "physicalType": precise}
    return dict(LOGICAL[type_.kind])


def row_number() -> dict[str, object]:
    """The key where nothing in the file is one."""
    return {
        "name": ROW_NUMBER,
        "logicalType": "integer",
        "description": "Where the row stands in the file, from 1; no column tells rows apart.",
        "required": True,
        "primaryKey": True,
    }


def descriptor_document(raw: Raw) -> dict[str, object]:
    """The ODPS descriptor."""
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": raw.product,
        "name": raw.title,
        "version": "1.0.0",
        "status": "draft",
        "domain": raw.domain,
        "type": "sourceAligned",
        "description": {
            "purpose": f"Raw data of the domain {raw.domain}, as it came.",
            "usage": "Find out whether it is of use; ask its owner for more.",
            "limitations": "Delivered as files; nobody has promised anything yet.",
        },
        "outputPorts": [
            {
                "name": raw.port,
                "description": "One row per row of the delivered file.",
                "type": "parquet",
                "version": "1.0.0",
                "contractId": raw.contract,
            }
        ],
        "managementPorts": [
            {"name": each, "content": each, "type": "rest", "description": SAID[each]}
            for each in MANAGEMENT
        ],
        "team": {"name": raw.title, "members": [{"username": raw.owner, "role": "owner"}]},
        "support": [{"channel": raw.product, "url": f"mailto:{raw.owner}", "tool": "email"}],
    }


def readme(raw: Raw) -> str:
    """What a person reads first."""
    return (
        f"# {raw.title}\n\n"
        f"Owner: <{raw.owner}>, of the domain {raw.domain}.\n\n"
        "## Promise\n\n"
        "None yet: raw data as it came, to find out whether it is of use.\n"
        f"The contract `contracts/{to_snake(raw.port)}.odcs.yaml` is a draft that was inferred "
        "from the file.\n\n"
        "## Ports\n\n"
        "| port | kind | where |\n|---|---|---|\n"
        f"| output `{raw.port}` | batch | `data/{raw.port}/current.parquet` |\n"
    )
