"""Writes the folder of a new product: descriptor, contract, SQL, keys file, cases and README.

What only its owner knows stands in the contract as a question. Not here: what the port has
(`new_shaping`), the names and checks (`new`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mesh.contract.identifiers import Identifier
from mesh.contract.odps import DESCRIPTOR
from mesh.product.dump_contract import typed
from mesh.product.dump_files import as_yaml, management
from mesh.product.new_cases import cases_yaml
from mesh.product.new_readme import readme
from mesh.product.new_shape import Column, New, Shape
from mesh.product.new_sql import keys_sql, port_sql
from mesh.product.new_values import custom_of

__all__ = [
    "contract_document",
    "contract_text",
    "grain_of",
    "property_of",
    "questions_of",
    "write_files",
    "write_new",
]

LATENCY = "From the broker's stamp of a message that is read to the row that follows from it."


def write_new(folder: Path, new: New, identifiers: Mapping[str, Identifier]) -> None:
    """Write all files of the product into *folder*, which is there and empty."""
    name, shape = new.name, new.shape
    hints = [
        f"`{name}.sql` is a start: say what the rows mean, and what the contract calls it.",
        f"`{name}.test.yaml` has made-up rows; what is expected of them was reasoned, not"
        " computed. Check that it is what you mean.",
    ]
    files = {f"{name}.sql": port_sql(shape), f"{name}.test.yaml": cases_yaml(shape, identifiers)}
    if shape.kind == "state":
        files[f"{name}.keys.sql"] = keys_sql(shape)
        hints.append(f"`{name}.keys.sql` names every input by which a row can change.")
    files["README.md"] = readme(new, hints)
    write_files(folder, new, contract_text(new, contract_document(new), questions_of(new)), files)


def write_files(folder: Path, new: New, contract: str, files: Mapping[str, str]) -> None:
    """Write the text of the *contract*, what every product has, and *files*."""
    (folder / "contracts").mkdir()
    every = {
        DESCRIPTOR: as_yaml(descriptor_document(new)),
        f"contracts/{new.name}.odcs.yaml": contract,
        "__init__.py": f'"""The {new.id} product: {new.grain[0].lower()}{new.grain[1:]}"""\n',
        **files,
    }
    for path, text in every.items():
        (folder / path).write_text(text, encoding="utf-8")


def contract_text(new: New, document: dict[str, object], questions: Iterable[str]) -> str:
    """The contract's file: what its owner has to answer first, and *document*."""
    asked = "".join(f"# - {each}\n" for each in questions)
    return (
        f"# Made by `{new.made_by}`, to be edited by its owner. Its `status: active` says that the"
        f"\n# owner accepts it; before, have an answer to:\n{asked}{as_yaml(document)}"
    )


def grain_of(shape: Shape) -> str:
    """What one row is."""
    if shape.kind == "event":
        return f"One row per row of {shape.sources[0].contract.id}."
    if shape.spine is not None:
        return f"One row per row of {shape.spine.contract.id}."
    return f"One row per {shape.identifier} that any input has."


def questions_of(new: New) -> Iterator[str]:
    """What the owner should look at before accepting the contract."""
    yield "What are the rows for? (`purpose`, here and in product.yaml)"
    for each in new.shape.columns:
        if each.origin.is_personal and each.how == "as it is":
            yield f"{each.name} is personal: may it be kept for this?"
    if new.shape.left_out:
        names = ", ".join(f"{s.table}.{field.name}" for s, field in new.shape.left_out)
        yield f"Is it well without what is left out? {names}"
    yield "Who may read it: anybody who asks (`access: auto`), or by the owner's word?"


def descriptor_document(new: New) -> dict[str, object]:
    """The ODPS descriptor."""
    reads = [{"id": s.contract.id, "version": s.contract.version} for s in new.shape.sources]
    return {
        "apiVersion": "v1.1.0",
        "kind": "DataProduct",
        "id": new.id,
        "name": new.title,
        "version": "1.0.0",
        "status": "draft",
        "domain": new.domain,
        "type": "aggregate",
        "description": {
            "purpose": new.purpose,
            "usage": f"Read the port {new.port}, or ask for a grant to it.",
            "limitations": "A draft: nobody has promised anything yet.",
        },
        "inputPorts": [
            {"name": s.name, "version": s.contract.version, "contractId": s.contract.id}
            for s in new.shape.sources
        ],
        "outputPorts": [
            {
                "name": new.port,
                "description": new.grain,
                "type": "topic",
                "version": "1.0.0",
                "contractId": new.contract,
                "inputContracts": reads,
            }
        ],
        **management(new.id, new.title, new.owner),
    }


def contract_document(new: New) -> dict[str, object]:
    """The ODCS contract of the one port."""
    first = new.shape.spine or new.shape.sources[0]
    custom: dict[str, object] = {
        "portKind": new.shape.kind,
        "partitions": first.contract.partitions,
    }
    if new.shape.kind == "event":
        custom["retention"] = custom_of(first.contract, "retention")
    custom |= {"purpose": new.purpose, "access": "ask"}
    return {
        "apiVersion": "v3.2.0",
        "kind": "DataContract",
        "id": new.contract,
        "name": new.title,
        "version": "1.0.0",
        "status": "draft",
        "domain": new.domain,
        "description": {
            "purpose": new.purpose,
            "usage": f"Join it by {new.shape.columns[0].name}.",
            "limitations": f"Inferred from {new.made_of}; nobody has promised it yet.",
        },
        "schema": [
            {
                "name": new.name,
                "physicalType": "topic",
                "physicalName": f"pub.{new.domain}.{new.id}.{new.port}.v1",
                "description": new.grain,
                "properties": [property_of(each) for each in new.shape.columns],
            }
        ],
        "team": {"name": new.title, "members": [{"username": new.owner, "role": "owner"}]},
        "slaProperties": [
            {"property": "latency", "value": 60, "unit": "s", "description": LATENCY}
        ],
        "customProperties": [{"property": n, "value": value} for n, value in custom.items()],
    }


def property_of(column: Column) -> dict[str, object]:
    """One field of the contract; rules of the inputs are theirs to widen, so none is repeated."""
    field = column.origin
    document: dict[str, object] = {"name": column.name, **typed(field.type)}
    if column.how == "count":
        document["logicalTypeOptions"] = {"minimum": 0}
    document["description"] = said_of(column)
    if field.is_required:
        document["required"] = True
    if field.key_position:
        document |= {"primaryKey": True, "primaryKeyPosition": field.key_position}
    if column.how != "as it is":
        return document
    custom = {"identifier": field.identifier, "personal": field.is_personal}
    if field.is_personal:
        document["classification"] = field.classification or "confidential"
    if any(custom.values()):
        pairs = [{"property": name, "value": value} for name, value in custom.items() if value]
        document["customProperties"] = pairs
    return document


def said_of(column: Column) -> str:
    """What a field means."""
    if column.source is None:
        return column.origin.description or f"The {column.origin.identifier}."
    of = column.source.contract.id
    if column.how == "count":
        return f"How many rows of {of} have it."
    if column.how == "newest":
        return f"The newest {column.origin.name} of these rows of {of}; empty if there is none."
    return column.origin.description or f"The field {column.origin.name} of {of}."
