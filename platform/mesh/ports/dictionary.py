"""The dictionary of a port: fields with types and meanings, rules, and a masked sample.

Masked is what is personal, by its own mark or its identifier's, and what is classified.
Not here: the rows themselves, which are for the granted (`door`).
"""

from __future__ import annotations

from collections.abc import Mapping

from mesh.contract.identifiers import Identifier
from mesh.contract.model import Contract, Field, OutputPort
from mesh.contract.types import duckdb_type
from mesh.ports.door import Door
from mesh.ports.values import json_rows

__all__ = ["MASK", "describe_port", "is_masked", "is_open"]

SAMPLE_ROWS = 5
MASK = "***"
OPEN = (None, "public", "internal")


def describe_port(
    door: Door, port: OutputPort, identifiers: Mapping[str, Identifier], *, has_sample: bool
) -> dict[str, object]:
    """One port, with a few of its rows if *has_sample*."""
    contract = port.contract
    return {
        "port": port.name,
        "contract": contract.id,
        "version": contract.version,
        "kind": contract.kind,
        "description": contract.description,
        "purpose": contract.purpose,
        "fields": [describe_field(each, identifiers) for each in contract.fields],
        "rules": [
            {"name": each.name, "field": each.field, "expression": each.expression,
             "reason": each.reason}
            for each in contract.rules
        ],
        "sample": sample(door, contract, identifiers) if has_sample else None,
    }  # fmt: skip


def describe_field(field: Field, identifiers: Mapping[str, Identifier]) -> dict[str, object]:
    """One field."""
    identifier = identifiers.get(field.identifier or "")
    return {
        "name": field.name,
        "type": duckdb_type(field.type),
        "description": field.description,
        "is_required": field.is_required,
        "key_position": field.key_position or None,
        "identifier": field.identifier,
        "identifier_description": identifier.description if identifier else None,
        "is_personal": field.is_personal,
        "classification": field.classification,
        "is_masked": is_masked(field, identifiers),
    }


def is_masked(field: Field, identifiers: Mapping[str, Identifier]) -> bool:
    """Whether a sample hides this field's values."""
    identifier = identifiers.get(field.identifier or "")
    is_personal = field.is_personal or (identifier is not None and identifier.is_personal)
    return is_personal or field.classification not in OPEN


def is_open(contract: Contract, identifiers: Mapping[str, Identifier]) -> bool:
    """Whether every row may be shown to anybody: no field is masked, and nobody is asked.

    A field that is hashed tells two people apart still.
    """
    is_hidden = any(is_masked(each, identifiers) or each.masked for each in contract.fields)
    return contract.access == "auto" and not is_hidden


def sample(
    door: Door, contract: Contract, identifiers: Mapping[str, Identifier]
) -> dict[str, object]:
    """The first rows in order of key."""
    hidden = [is_masked(each, identifiers) for each in contract.fields]
    rows = json_rows(door.sample(contract, SAMPLE_ROWS))
    return {
        "columns": [each.name for each in contract.fields],
        "rows": [
            [
                MASK if is_hidden and value is not None else value
                for value, is_hidden in zip(row, hidden, strict=True)
            ]
            for row in rows
        ],
    }
