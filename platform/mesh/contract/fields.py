"""Reads the fields of a contract's schema object: names, types, key, and what is said of each."""

from __future__ import annotations

from mesh.contract.custom import FIELD, choice, custom_properties, flag, text
from mesh.contract.field_type import FieldType, TypeProblem, parse_type
from mesh.contract.model import Field, Masked
from mesh.contract.names import is_snake, nearest, shown
from mesh.contract.yamlfile import Node, Report

__all__ = ["read_fields"]

_RULE = "contract"
_MASKED: dict[str, Masked] = {"hash": "hash", "mask": "mask", "omit": "omit"}
_NO_KEY = ("list", "struct", "float32", "float64")  # no canonical text, so no message key


def read_fields(schema_object: Node, report: Report) -> tuple[Field, ...]:
    """Return the fields that could be read; every fault goes to *report*."""
    properties = schema_object["properties"].items
    if not properties:
        report.fault(schema_object, "no field", "name the fields under `properties:`", rule=_RULE)
    positions = _key_positions(properties, report)
    fields: list[Field] = []
    for node, position in zip(properties, positions, strict=True):
        name = node["name"].text
        if any(name == field.name for field in fields):
            report.fault(node["name"], f"{name} is there twice", "rename one", rule=_RULE)
        field = _field(node, name, position, report)
        if field:
            fields.append(field)
    return tuple(fields)


def _field(node: Node, name: str, position: int, report: Report) -> Field | None:
    if name and not is_snake(name):
        fixed = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).strip("_")
        fixed = fixed.replace("-", "_").replace(" ", "_")
        remedy = f"write {fixed}" if is_snake(fixed) else "use a-z, 0-9 and _"
        report.fault(node["name"], f"{shown(name)} is not snake_case", remedy, rule=_RULE)
    _check_physical_name(node, name, report)
    custom = custom_properties(node, FIELD, report)
    masked = choice(custom.get("masked"), tuple(_MASKED), report)
    identifier = text(custom.get("identifier"), report, kebab=True)
    is_personal = flag(custom.get("personal"), report)
    type_ = _type(node, report)
    if position:
        _check_key(node, name, type_, report)
    if not name or type_ is None:
        return None
    return Field(
        name=name,
        type=type_,
        is_required=node["required"].value is True,
        key_position=position,
        description=node["description"].text,
        identifier=identifier,
        is_personal=is_personal,
        classification=node["classification"].text or None,
        masked=_MASKED.get(masked or ""),
    )


def _type(node: Node, report: Report) -> FieldType | None:
    if not isinstance(node.value, dict):
        return None  # the schema check has said so
    given = node["logicalType"]
    if isinstance(given.value, str) and (near := _misspelt(given.value)):
        report.fault(
            given, f"{shown(given.value)} is no logicalType", f"did you mean {near}?", rule="types"
        )
        return None
    try:
        return parse_type(node.value)
    except TypeProblem as problem:
        report.fault(given, problem.problem, problem.remedy, rule="types")
        return None


def _misspelt(word: str) -> str | None:
    known = ("string", "integer", "number", "boolean", "date", "timestamp", "array", "object")
    return None if word in (*known, "time", "map", "vector") else nearest(word, known)


def _check_physical_name(node: Node, name: str, report: Report) -> None:
    given = node["physicalName"]
    if given.is_given and given.value != name:
        report.fault(given, "a second name for the field", "remove physicalName", rule=_RULE)


def _check_key(node: Node, name: str, type_: FieldType | None, report: Report) -> None:
    if node["required"].value is not True:
        report.fault(
            node["primaryKey"],
            f"{name} is in the key and may be empty",
            "add `required: true`",
            rule=_RULE,
        )
    if type_ and type_.kind in _NO_KEY:
        report.fault(
            node["logicalType"],
            f"{name} cannot be a key: it has no canonical text",
            "use text, a uuid, a whole number, a decimal, a date or a timestamp",
            rule=_RULE,
        )


def _key_positions(properties: tuple[Node, ...], report: Report) -> list[int]:
    """Return each property's position in the primary key, 0 outside it."""
    keys = [node for node in properties if node["primaryKey"].value is True]
    if not keys and properties:
        remedy = "add `primaryKey: true` to the field that tells rows apart"
        report.fault(properties[0], "there is no primary key", remedy, rule=_RULE)
    given = [node["primaryKeyPosition"].value for node in keys]
    if len(keys) == 1 and given[0] in (None, -1):
        given = [1]
    if given and sorted(map(str, given)) != sorted(str(i + 1) for i in range(len(keys))):
        report.fault(
            keys[0],
            "the positions in the primary key are not 1, 2, …",
            "give each key field its own `primaryKeyPosition:`, from 1 up",
            rule=_RULE,
        )
        given = list(range(1, len(keys) + 1))
    numbers = iter(given)
    return [int(str(next(numbers))) if node in keys else 0 for node in properties]
