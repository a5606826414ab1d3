"""Reads ODCS 3.2.0 data contracts, against the standard's schema and what our mesh needs.

Our needs: one schema object that is a topic, a name that agrees with id, domain and version,
"One row per …", a key, snake_case fields with exact types, and rules that can run.

    contract = load_contract(Path("products/call_center/contracts/calls.odcs.yaml"))
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesh.contract.by_day import check_day, day_nodes
from mesh.contract.custom import (
    CONTRACT,
    choice,
    custom_properties,
    duration_ms,
    text,
    whole_number,
)
from mesh.contract.expression import evaluation_problem, pattern_problem
from mesh.contract.faults import Fault
from mesh.contract.fields import read_fields
from mesh.contract.model import Access, Contract, Field, PortKind, Rule
from mesh.contract.names import TopicName, listed, parse_topic, parse_version, shown
from mesh.contract.relation import check_fairness, read_relation
from mesh.contract.rowrules import RuleProblem, read_rules, rules_of
from mesh.contract.schema_check import schema_faults
from mesh.contract.types import duckdb_type
from mesh.contract.yamlfile import Node, Report, YamlFile, YamlPath, read_yaml

__all__ = ["CheckedContract", "check_contract", "load_contract", "rules_of"]

API_VERSION = "v3.2.0"
DEFAULT_PARTITIONS = 4
MAX_PARTITIONS = 1000

_RULE = "contract"
_FORM = "<pub|priv>.<domain>.<product>.<port>.v<major>"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedContract:
    """What a check found; *contract* is None where there is any fault."""

    contract: Contract | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def load_contract(path: Path) -> Contract:
    """Read the contract at *path*. Raises `InvalidFile` with every fault."""
    report = Report()
    contract = _read(read_yaml(path), report)
    report.raise_faults()
    return contract


def check_contract(file: YamlFile) -> CheckedContract:
    """Return the contract in *file*, or all its faults, and its warnings."""
    report = Report()
    contract = _read(file, report)
    return CheckedContract(
        contract=None if report.faults else contract,
        faults=tuple(sorted(report.faults, key=lambda fault: fault.line)),
        warnings=tuple(report.warnings),
    )


def _read(file: YamlFile, report: Report) -> Contract:
    """Read what is there and report the rest; the result counts only without a fault."""
    report.faults += schema_faults(file, "odcs-3.2.0")
    root = file.root
    schema_object = _schema_object(root, report)
    topic = _topic(root, schema_object, report)
    fields = read_fields(schema_object, report)
    kind, retention_ms, custom = _port(root, report)
    relation = read_relation(custom.get("relation"), topic.port, fields, report)
    check_fairness(custom.get("fairness"), fields, report)
    if kind == "batch":
        check_day(root, fields, report)
    partitions = whole_number(custom.get("partitions"), low=1, high=MAX_PARTITIONS, report=report)
    access = choice(custom.get("access"), ("auto", "ask"), report)
    return Contract(
        id=root["id"].text,
        version=root["version"].text,
        name=root["id"].text.partition(".")[2].replace("-", "_").replace(".", "_"),
        domain=topic.domain,
        product=topic.product,
        description=_grain(schema_object, report),
        topic=schema_object["physicalName"].text,
        kind=kind,
        fields=fields,
        rules=_rules(file, fields, report),
        partitions=partitions or DEFAULT_PARTITIONS,
        retention_ms=retention_ms,
        purpose=text(custom.get("purpose"), report),
        access=_ACCESS.get(access or "", "ask"),
        path=file.path,
        document=file.document,
        relation=relation,
    )


_ACCESS: dict[str, Access] = {"auto": "auto", "ask": "ask"}


def _schema_object(root: Node, report: Report) -> Node:
    if root["apiVersion"].value in ("v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"):
        report.fault(
            root["apiVersion"],
            f"apiVersion is {shown(root['apiVersion'].value)}",
            f"write {API_VERSION}",
            rule=_RULE,
        )
    objects = root["schema"].items
    if len(objects) != 1:
        count = "no schema object" if not objects else f"{len(objects)} schema objects"
        report.fault(root["schema"], count, "describe exactly one: the topic", rule=_RULE)
    if not objects:
        return Node(root.file, ("schema", 0), None)
    wanted = "parquet" if _is_batch(root) else "topic"
    if objects[0]["physicalType"].value != wanted:
        report.fault(
            objects[0]["physicalType"],
            f"the schema object is not {'of files' if wanted == 'parquet' else 'a topic'}",
            f"write `physicalType: {wanted}`",
            rule=_RULE,
        )
    custom_properties(objects[0], frozenset(), report)  # ours stand on the contract
    return objects[0]


def _is_batch(root: Node) -> bool:
    """Whether the contract says that its port is of files; what it says is judged elsewhere."""
    for one in root["customProperties"].items:
        if one["property"].text == "portKind":
            return one["value"].text == "batch"
    return False


def _topic(root: Node, schema_object: Node, report: Report) -> TopicName:
    """Return the topic's parts, once they agree with id, domain and version."""
    place = schema_object["physicalName"]
    topic = parse_topic(place.text)
    version = parse_version(root["version"].text)
    if version is None and isinstance(root["version"].value, str):
        problem = f"version {shown(root['version'].value)} has another form"
        report.fault(root["version"], problem, "write three numbers, as 1.0.0", rule=_RULE)
    if topic is None:
        if schema_object.is_given:
            found = shown(place.value) if place.is_given else "missing"
            remedy = f"write {_FORM}, its parts in kebab-case"
            report.fault(place, f"the topic (physicalName) is {found}", remedy, rule=_RULE)
        return TopicName("", "", "", "", 0)
    expected = f"{topic.product}.{topic.port}"
    if root["id"].text and root["id"].text not in (expected, f"{expected}.v{topic.major}"):
        problem = f"id {shown(root['id'].value)} and topic {place.text} disagree"
        remedy = f"write `id: {expected}`, or another topic; see docs/contracts.md on `.v<major>`"
        report.fault(root["id"], problem, remedy, rule=_RULE)
    if root["domain"].text != topic.domain:
        problem = f"domain {shown(root['domain'].value)} and topic {place.text} disagree"
        remedy = f"write `domain: {topic.domain}`, or another topic"
        report.fault(root["domain"], problem, remedy, rule=_RULE)
    if version and version[0] != topic.major:
        problem = f"version {root['version'].text} and topic {place.text} disagree"
        report.fault(place, problem, f"let the topic end in .v{version[0]}", rule=_RULE)
    return topic


def _grain(schema_object: Node, report: Report) -> str:
    place = schema_object["description"]
    words = " ".join(place.text.split())
    if schema_object.is_given and "one row per " not in words.lower():
        problem = "the description does not say what one row is"
        report.fault(place, problem, 'write "One row per …"', rule=_RULE)
    return words


def _port(root: Node, report: Report) -> tuple[PortKind, int | None, dict[str, Node]]:
    custom = dict(custom_properties(root, CONTRACT, report))
    if "portKind" not in custom:
        remedy = "add `- property: portKind` with `value: event` (facts) or `value: state`"
        report.fault(root["customProperties"], "portKind is missing", remedy, rule=_RULE)
    kind = _KINDS[choice(custom.get("portKind"), tuple(_KINDS), report) or "event"]
    retention = custom.get("retention")
    if kind in _NO_RETENTION and retention and not (kind == "batch" and day_nodes(root)):
        problem = _NO_RETENTION[kind]
        report.fault(retention, problem, "remove retention", rule=_RULE)
    if kind == "event" and "portKind" in custom and not retention:
        remedy = "add `- property: retention` with `value: P30D`, or `value: forever`"
        report.fault(root["customProperties"], "retention is missing", remedy, rule=_RULE)
    if not retention or retention.value == "forever":
        return kind, None, custom
    age = duration_ms(retention.text)
    if age is None:
        problem = f"retention is {shown(retention.value)}"
        remedy = "write an ISO 8601 duration of days or time, as P30D or PT12H, or forever"
        report.fault(retention, problem, remedy, rule=_RULE)
    return kind, age, custom


_KINDS: dict[str, PortKind] = {"event": "event", "state": "state", "batch": "batch"}
_NO_RETENTION = {
    "state": "a state port keeps one row a key, whatever its age",
    "batch": "a batch port keeps every delivery",
}


def _rules(file: YamlFile, fields: tuple[Field, ...], report: Report) -> tuple[Rule, ...]:
    """Return the row rules that DuckDB can evaluate over the contract's columns."""
    columns = tuple((field.name, duckdb_type(field.type)) for field in fields)
    is_whole = not any(fault.rule in ("contract", "types") for fault in report.faults)
    rules = []
    for where, one in read_rules(file.document):
        problem: str | None = None
        remedy = f"compare what fits: {listed(f'{name} {type_}' for name, type_ in columns)}"
        if isinstance(one, RuleProblem):
            problem, remedy = one.problem, one.remedy
        elif where[-1] == "pattern":
            problem = pattern_problem(str(_value_at(file, where)))
            remedy = "write a regular expression of the RE2 kind: no look-around, no \\1"
        elif is_whole:  # else the columns are not those that the rule was written for
            problem = evaluation_problem(one.expression, columns)
        if problem:
            report.fault(Node(file, where, None), problem, remedy, rule="rules")
        elif isinstance(one, Rule):
            rules.append(one)
    return tuple(rules)


def _value_at(file: YamlFile, where: YamlPath) -> object:
    value: Any = file.document
    for part in where:
        value = value[part]
    return value
