"""Our customProperties: what the standards have no field for. docs/contracts.md lists them.

Each stands at one level: on a contract, on a property (a field), or on a port.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mesh.contract.names import is_kebab, listed, nearest, shown
from mesh.contract.yamlfile import Node, Report

__all__ = [
    "CONTRACT",
    "FIELD",
    "INPUT_PORT",
    "OUTPUT_PORT",
    "choice",
    "custom_properties",
    "duration_ms",
    "flag",
    "how_long_kept",
    "text",
    "whole_number",
]

CONTRACT = frozenset(
    {"portKind", "partitions", "retention", "purpose", "access", "relation", "fairness"}
)
FIELD = frozenset({"identifier", "personal", "masked"})
INPUT_PORT = frozenset({"system", "own", "keep", "family", "purpose"})
OUTPUT_PORT = frozenset({"maskedFrom", "access"})
_LEVELS = {
    "a contract": CONTRACT,
    "a field": FIELD,
    "an input port": INPUT_PORT,
    "an output port": OUTPUT_PORT,
}

_RULE = "custom"
_DURATION = re.compile(
    r"P(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?"
)
_UNITS_MS = (604_800_000, 86_400_000, 3_600_000, 60_000, 1_000)


def custom_properties(owner: Node, level: frozenset[str], report: Report) -> Mapping[str, Node]:
    """Return the values of our customProperties on *owner*, by name.

    One of ours at a wrong level or given twice is a fault; an unknown one that is nearly
    ours is a warning, since other tools may have their own.
    """
    found: dict[str, Node] = {}
    for one in owner["customProperties"].items:
        name, place = one["property"].text, one["property"]
        if name in found:
            report.fault(place, f"{name} stands here twice", "remove one of them", rule=_RULE)
        elif name in level:
            found[name] = one["value"]
        elif not one["vendor"].is_given:
            _report_stranger(name, place, level, report)
    return found


def choice(node: Node | None, allowed: tuple[str, ...], report: Report) -> str | None:
    """Return the value, one of *allowed*; None, with a fault, where it is another."""
    if node is None:
        return None
    if node.text in allowed:
        return node.text
    near = nearest(str(node.value), allowed)
    hint = f"did you mean {near}? " if near else ""
    _fault(node, report, f"{shown(node.value)} is not possible", f"{hint}write {listed(allowed)}")
    return None


def whole_number(node: Node | None, *, low: int, high: int, report: Report) -> int | None:
    """Return a whole number from *low* to *high*; None, with a fault, where it is another."""
    if node is None:
        return None
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
        return value
    _fault(node, report, f"{shown(value)} is not possible", f"write a number from {low} to {high}")
    return None


def text(node: Node | None, report: Report, *, kebab: bool = False) -> str | None:
    """Return text; None, with a fault, where it is something else."""
    if node is None:
        return None
    if node.text and (not kebab or is_kebab(node.text)):
        return node.text
    _fault(
        node,
        report,
        f"{shown(node.value)} is no name" if kebab else "this is not text",
        "write it in kebab-case" if kebab else "write a short text",
    )
    return None


def flag(node: Node | None, report: Report) -> bool:
    """Return true or false; false, with a fault, where it is something else."""
    if node is not None and not isinstance(node.value, bool):
        _fault(node, report, f"{shown(node.value)} is not true or false", "write true or false")
    return node is not None and node.value is True


def how_long_kept(node: Node | None, report: Report) -> str:
    """Return how long an input port keeps its rows; all, with a fault, where it is no time."""
    if node is None or node.text in ("all", "latest", "none", "batch") or duration_ms(node.text):
        return node.text if node else "all"
    remedy = "write all, latest, none, batch, or a duration as P90D"
    _fault(node, report, f"keep is {shown(node.value)}", remedy)
    return "all"


def duration_ms(given: str) -> int | None:
    """Return the milliseconds of an ISO 8601 duration of weeks, days and time, or None."""
    found = _DURATION.fullmatch(given)
    if not found:
        return None
    parts = zip(found.groups(), _UNITS_MS, strict=True)
    return sum(int(count) * unit for count, unit in parts if count) or None


def _report_stranger(name: str, place: Node, level: frozenset[str], report: Report) -> None:
    for words, names in _LEVELS.items():
        if name in names:
            _fault(place, report, f"{name} does not stand here", f"put it on {words}")
            return
    if near := nearest(name, level):
        report.warn(place, f"{shown(name)} is not one of ours", f"did you mean {near}?", rule=_RULE)


def _fault(node: Node, report: Report, problem: str, remedy: str) -> None:
    report.fault(node, problem, remedy, rule=_RULE)
