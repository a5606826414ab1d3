"""A masked port's contract, made from that of the port that it masks: written once, read as any.

    call-center.calls  ─►  call-center.calls-masked, whose port says `maskedFrom: calls`

What is personal is left out, unless its field says `masked: hash` or `mask`; what is not personal
stays, unless its field says so too. Not here: the rows (`mesh.product.masked`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mesh.contract.custom import OUTPUT_PORT, custom_properties
from mesh.contract.expression import ExpressionProblem, canonical_expression
from mesh.contract.model import Contract, Field, Masked
from mesh.contract.names import listed, to_snake
from mesh.contract.odcs import check_contract
from mesh.contract.ports import port_of
from mesh.contract.yamlfile import Node, Report, YamlFile

__all__ = ["mask_of", "masked_contracts", "origin_of"]

# These have no canonical text, so equal values might not have equal hashes.
_NO_HASH = ("list", "struct", "float32", "float64")

_RULE = "masked"
_KEPT = ("apiVersion", "kind", "status", "domain", "dataProduct", "tenant", "tags", "team")
_CUSTOM = ("portKind", "partitions", "retention", "purpose")
_WORDS: Mapping[Masked | None, str] = {"hash": "hashed", "mask": "masked", "omit": "left out"}


def masked_contracts(
    root: Node, contracts: Mapping[str, Contract], report: Report
) -> dict[str, Contract]:
    """The contracts of a descriptor's masked ports, by id, made from the *contracts* of its files.

    Those without a fault; every fault goes to *report*.
    """
    found: dict[str, Contract] = {}
    for port in root["outputPorts"].items:
        custom = custom_properties(port, OUTPUT_PORT, report)
        origin = origin_of(port)
        if origin is None:
            if "access" in custom:
                problem, remedy = "access does not stand here", "put it on the contract"
                report.fault(custom["access"], problem, remedy, rule=_RULE)
            continue
        given = port["contractId"]
        first = contracts.get(f"{root['id'].text}.{origin}")
        if first is None and f"{to_snake(origin)}.odcs.yaml" in files_of(root):
            continue  # what is wrong with it is said of it
        if first is None or given.text in contracts:
            problem = f"{given.text or port['name'].text} is made from {origin}"
            remedy = "name in `maskedFrom:` another port with a file below contracts/, as `calls`"
            report.fault(custom["maskedFrom"], problem, remedy, rule=_RULE)
        elif _can_mask(first, custom["maskedFrom"], report) and port_of(
            root["id"].text, port["name"].text, given.text
        ):
            made = _made(first, port, custom.get("access"), report)
            found |= {made.id: made} if made else {}
    return found


def origin_of(port: Node) -> str | None:
    """The name of the port that an output *port* is made from, or None where it has its own SQL."""
    for one in port["customProperties"].items:
        if one["property"].text == "maskedFrom":
            return one["value"].text
    return None


def files_of(root: Node) -> set[str]:
    """The names of the contracts' files beside the descriptor; what it names is no path."""
    return {each.name for each in (root.file.path.parent / "contracts").glob("*.y*ml")}


def mask_of(field: Field) -> Masked | None:
    """What a masked port has for *field*: its own word, else no personal one, but for a key."""
    if field.masked or not field.is_personal:
        return field.masked
    return "hash" if field.key_position else "omit"


def _can_mask(first: Contract, place: Node, report: Report) -> bool:
    problems = [
        f"{each.name} is {each.type.kind}, which has no canonical text to hash"
        for each in first.fields
        if mask_of(each) == "hash" and each.type.kind in _NO_HASH
    ]
    problems += [
        f"{each.name} is in the key of {first.id}, which must tell rows apart"
        for each in first.key_fields
        if mask_of(each) in ("mask", "omit")
    ]
    if not first.is_streamed:
        problems.append(f"{first.id} is a batch port, whose files are delivered as they are")
    for each in problems:
        report.fault(place, each, "see docs/contracts.md on masked ports", rule=_RULE)
    return not problems


def _made(first: Contract, port: Node, access: Node | None, report: Report) -> Contract | None:
    document = _document(first, port["name"].text, port["contractId"].text)
    if access is not None:
        _customs(document).append({"property": "access", "value": access.value})
    checked = check_contract(YamlFile(path=first.path, document=document, lines={}))
    for each in checked.faults:
        report.fault(port, each.problem, each.remedy, rule=each.rule)
    if checked.contract is None:
        return None
    return replace(checked.contract, masked_from=first)


def _document(first: Contract, name: str, contract_id: str) -> dict[str, object]:
    """The ODCS document of the port *name*: nothing is in it that is not named here."""
    old = first.document
    schema = _schema(old)
    masks = {each.name: mask_of(each) for each in first.fields}
    kept = [name for name, mask in masks.items() if mask is None]
    properties = [_property(each, masks[str(each["name"])], kept) for each in _properties(schema)]
    done = [
        f"{_WORDS[how]}: {listed(names)}"
        for how in ("hash", "mask", "omit")
        if (names := [name for name, mask in masks.items() if mask == how])
    ]
    limits = f"Made from {first.id}. {'; '.join(done).capitalize() or 'Nothing is masked'}."
    description = old.get("description")
    purpose = description.get("purpose") if isinstance(description, dict) else None
    latency = old.get("slaProperties")
    return {
        **{each: old[each] for each in _KEPT if each in old},
        "id": contract_id,
        "name": f"{old.get('name') or first.name}, masked",
        "version": first.version,
        "description": {**({"purpose": purpose} if purpose else {}), "limitations": limits},
        "schema": [
            {
                "name": name.replace("-", "_"),
                "physicalType": "topic",
                "physicalName": f"pub.{first.domain}.{first.product}.{name}.v{first.major}",
                "description": first.description,
                "properties": [each for each in properties if each is not None],
                **_quality(schema, kept),
            }
        ],
        **({"slaProperties": latency} if latency else {}),
        "customProperties": [each for each in _customs(old) if each.get("property") in _CUSTOM],
    }


def _property(
    given: Mapping[str, object], mask: Masked | None, kept: Iterable[str]
) -> dict[str, object] | None:
    """A field as the masked port has it, or None where it has not."""
    if mask == "omit":
        return None
    if mask is None:
        return {**{k: v for k, v in given.items() if k != "quality"}, **_quality(given, kept)}
    names = ("name", "required", "primaryKey", "primaryKeyPosition")
    return {
        **{each: given[each] for each in names if each in given},
        "logicalType": "string",
        "description": f"{_WORDS[mask].capitalize()}: {given.get('description') or given['name']}",
        "customProperties": [{"property": "masked", "value": mask}],
    }


def _quality(owner: Mapping[str, object], kept: Iterable[str]) -> dict[str, object]:
    """The rules of ours that see no field but those that are kept as they are."""
    given = owner.get("quality")
    rules = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    found = [each for each in rules if each.get("engine") == "mesh" and _sees(each, kept)]
    return {"quality": found} if found else {}


def _sees(rule: Mapping[str, object], kept: Iterable[str]) -> bool:
    try:
        canonical_expression(str(rule.get("implementation")), set(kept))
    except ExpressionProblem:
        return False
    return True


def _schema(document: Mapping[str, object]) -> Mapping[str, object]:
    found = document["schema"]
    return found[0] if isinstance(found, list) else {}


def _properties(schema: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = schema["properties"]
    return found if isinstance(found, list) else []


def _customs(document: Mapping[str, object]) -> list[dict[str, object]]:
    found = document.get("customProperties")
    return found if isinstance(found, list) else []
