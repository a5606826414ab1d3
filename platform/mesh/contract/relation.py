"""Reads the two customProperties of a contract that are mappings: `relation` and `fairness`."""

from __future__ import annotations

from mesh.contract.model import Field, Relation
from mesh.contract.names import is_kebab, listed, nearest, shown
from mesh.contract.yamlfile import Node, Report

__all__ = ["check_fairness", "read_relation"]

_RULE = "custom"
_CARDINALITIES = ("one-to-one", "one-to-many", "many-to-one", "many-to-many")
_FAIRNESS_KEYS = ("groups", "meaning", "attribute", "measure", "bound")
# fairlearn has each under the same name in snake case.
_MEASURES = (
    "equalizedOddsDifference",
    "equalOpportunityDifference",
    "demographicParityDifference",
)
_RELATION_KEYS = ("from", "to", "cardinality", "meaning", "validFrom", "validTo")


def read_relation(
    node: Node | None, name: str, fields: tuple[Field, ...], report: Report
) -> Relation | None:
    """Read a relation: two identifiers, their cardinality, valid time, and its meaning."""
    if node is None or not _is_mapping(node, _RELATION_KEYS, report):
        return None
    for key in ("from", "to"):
        if not is_kebab(node[key].text):
            _fault(node[key], report, f"`{key}` is {shown(node[key].value)}", "name an identifier")
    if node["cardinality"].text not in _CARDINALITIES:
        found = f"cardinality is {shown(node['cardinality'].value)}"
        _fault(node["cardinality"], report, found, f"write one of {listed(_CARDINALITIES)}")
    if not node["meaning"].text:
        _fault(node["meaning"], report, "`meaning` is missing", "say what the relation means")
    for key in ("validFrom", "validTo"):
        if node[key].is_given:
            _check_field(node[key], fields, report)
    return Relation(
        name=name,
        from_type=node["from"].text,
        to_type=node["to"].text,
        cardinality=node["cardinality"].text,
        meaning=" ".join(node["meaning"].text.split()),
    )


def check_fairness(node: Node | None, fields: tuple[Field, ...], report: Report) -> None:
    """Check a fairness promise: by fields of the port, or by another port's protected attribute."""
    if node is None or not _is_mapping(node, _FAIRNESS_KEYS, report):
        return
    if node["attribute"].is_given:
        if len(node["attribute"].text.split(".")) < 3:
            found = f"`attribute` is {shown(node['attribute'].value)}"
            _fault(node["attribute"], report, found, "name it as PRODUCT.PORT.FIELD")
        if node["measure"].text not in _MEASURES:
            found = f"`measure` is {shown(node['measure'].value)}"
            _fault(node["measure"], report, found, f"write one of {listed(_MEASURES)}")
        bound = node["bound"].value
        if isinstance(bound, bool) or not isinstance(bound, int | float) or not 0 <= bound <= 1:
            _fault(node["bound"], report, f"`bound` is {shown(bound)}", "write a number up to 1")
    elif not node["groups"].items:
        _fault(node["groups"], report, "`groups` is missing", "list the fields to compare by")
    for one in node["groups"].items:
        _check_field(one, fields, report)


def _check_field(node: Node, fields: tuple[Field, ...], report: Report) -> None:
    names = [field.name for field in fields]
    if node.text not in names:
        near = nearest(str(node.value), names)
        hint = f"did you mean {near}?" if near else f"write one of {listed(names)}"
        _fault(node, report, f"there is no field {shown(node.value)}", hint)


def _is_mapping(node: Node, keys: tuple[str, ...], report: Report) -> bool:
    if not isinstance(node.value, dict):
        _fault(node, report, "this is not a mapping", f"write the keys {listed(keys)}")
        return False
    for key in node.value:
        if key not in keys:
            near = nearest(key, keys)
            hint = f"did you mean {near}?" if near else f"the keys are {listed(keys)}"
            _fault(node[key], report, f"{shown(key)} is not a key here", hint)
    return True


def _fault(node: Node, report: Report, problem: str, remedy: str) -> None:
    report.fault(node, problem, remedy, rule=_RULE)
