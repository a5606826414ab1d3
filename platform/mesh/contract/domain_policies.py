"""A domain's own policies: `company/policies/DOMAIN.yaml`, each one SQL expression.

    policies:
      - rule: money-has-a-currency
        says: Whoever promises an amount promises its currency.
        about: port
        expression: not list_contains(fields, 'amount') or list_contains(fields, 'currency')
        remedy: add a field `currency`, in ISO 4217

An expression is judged as a contract's rules are, so it can do no harm; what it gives is true,
false or null, and only false is a finding. Not here: the mesh's own policies (`policies`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from mesh.contract.expression import (
    ExpressionProblem,
    canonical_expression,
    evaluation_problem,
)
from mesh.contract.model import Contract, Product
from mesh.contract.names import is_kebab, shown
from mesh.contract.odps import DESCRIPTOR
from mesh.contract.policy import Finding, Level, Policy, finding, place_of, warning
from mesh.contract.project import Project
from mesh.contract.sandbox import sandbox
from mesh.contract.schema_check import schema_faults
from mesh.contract.yamlfile import Node, Report, YamlPath, read_yaml

__all__ = ["COLUMNS", "FOLDER", "domain_findings", "domain_policies"]

FOLDER = Path("company/policies")
_PORT = (
    ("product", "varchar"), ("contract", "varchar"), ("version", "varchar"), ("kind", "varchar"),
    ("access", "varchar"), ("partitions", "bigint"), ("retention_days", "double"),
    ("purpose", "varchar"), ("has_personal", "boolean"), ("description", "varchar"),
    ("fields", "varchar[]"), ("identifiers", "varchar[]"), ("sla", "varchar[]"),
)  # fmt: skip
_FIELD = (
    ("name", "varchar"), ("type", "varchar"), ("required", "boolean"), ("is_key", "boolean"),
    ("identifier", "varchar"), ("personal", "boolean"), ("classification", "varchar"),
    ("description", "varchar"), ("contract", "varchar"), ("kind", "varchar"),
)  # fmt: skip
_PRODUCT = (
    ("id", "varchar"), ("version", "varchar"), ("owner", "varchar"), ("name", "varchar"),
    ("description", "varchar"), ("inputs", "varchar[]"), ("outputs", "varchar[]"),
)  # fmt: skip
COLUMNS = {"product": _PRODUCT, "port": _PORT, "field": _FIELD}
_RULE = "domain-policies"

Row: TypeAlias = tuple[Path, YamlPath, str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPolicy:
    """One policy of a domain; *expression* is harmless and gives true, false or null."""

    policy: Policy
    about: str
    expression: str
    remedy: str


def domain_policies(root: Path) -> list[Policy]:
    """The policies of every domain. Raises `InvalidFile`."""
    files = sorted((root / FOLDER).glob("*.yaml"))
    return [each.policy for path in files for each in _read(path)]


def domain_findings(product: Product, project: Project) -> Iterator[Finding]:
    """What the policies of the product's domain find. Raises `InvalidFile`."""
    path = project.root / FOLDER / f"{product.domain}.yaml"
    policies = _read(path) if is_kebab(product.domain) and path.is_file() else []
    if not policies:
        return
    with sandbox() as connection:
        for each in policies:
            find = finding if each.policy.level == "error" else warning
            for file, where, what, row in _rows(each.about, product):
                columns = COLUMNS[each.about]
                typed = ", ".join(f'cast(? as {type_}) as "{name}"' for name, type_ in columns)
                query = f"select {each.expression} from (select {typed})"
                values = [row[name] for name, _ in columns]
                if connection.execute(query, values).fetchall() == [(False,)]:
                    problem = f"{what} breaks a policy of {product.domain}: {each.policy.says}"
                    yield find(each.policy.rule, file, where, problem, each.remedy)


def _rows(about: str, product: Product) -> Iterator[Row]:
    """What an expression is asked about: file, place and name of each, and its columns."""
    contracts = [port.contract for port in product.outputs]
    if about == "product":
        yield product.folder / DESCRIPTOR, (), product.id, _product_row(product)
    elif about == "port":
        for contract in contracts:
            yield contract.path, (), contract.id, _port_row(contract)
    else:
        for contract in contracts:
            for field in contract.fields:
                row: dict[str, object] = {
                    "name": field.name,
                    "type": field.type.kind,
                    "required": field.is_required,
                    "is_key": field.key_position > 0,
                    "identifier": field.identifier,
                    "personal": field.is_personal,
                    "classification": field.classification,
                    "description": field.description,
                    "contract": contract.id,
                    "kind": contract.kind,
                }
                yield contract.path, place_of(contract, field), f"{contract.id}.{field.name}", row


def _product_row(product: Product) -> dict[str, object]:
    return {
        "id": product.id,
        "version": product.version,
        "owner": product.owner,
        "name": product.name,
        "description": product.description,
        "inputs": [each.contract_id for each in product.inputs],
        "outputs": [each.contract.id for each in product.outputs],
    }


def _port_row(contract: Contract) -> dict[str, object]:
    levels = contract.document.get("slaProperties")
    return {
        "product": contract.product,
        "contract": contract.id,
        "version": contract.version,
        "kind": contract.kind,
        "access": contract.access,
        "partitions": contract.partitions,
        "retention_days": None if contract.retention_ms is None else contract.retention_ms / 864e5,
        "purpose": contract.purpose,
        "has_personal": contract.has_personal_fields,
        "description": contract.description,
        "fields": [each.name for each in contract.fields],
        "identifiers": [each.identifier for each in contract.fields if each.identifier],
        "sla": [str(each.get("property")) for each in levels] if isinstance(levels, list) else [],
    }


def _read(path: Path) -> list[DomainPolicy]:
    file, report = read_yaml(path), Report()
    report.faults += schema_faults(file, "policies")
    report.raise_faults()
    found = [_policy(node, path.stem, report) for node in file.root["policies"].items]
    report.raise_faults()
    return found


def _policy(node: Node, domain: str, report: Report) -> DomainPolicy:
    rule, about = node["rule"].text, node["about"].text
    level: Level = "warning" if node["level"].text == "warning" else "error"
    if not is_kebab(rule):
        report.fault(node["rule"], f"{shown(rule)} is no name", "use kebab-case", rule=_RULE)
    expression = "true"
    try:
        columns = COLUMNS[about]
        expression = canonical_expression(node["expression"].text, {name for name, _ in columns})
        problem = evaluation_problem(expression, tuple(columns))
        if problem:
            report.fault(node["expression"], problem, "see docs/catalogue.md", rule=_RULE)
    except ExpressionProblem as error:
        report.fault(node["expression"], error.problem, error.remedy, rule=_RULE)
    policy = Policy(rule=rule, says=node["says"].text, level=level, domain=domain)
    return DomainPolicy(
        policy=policy, about=about, expression=expression, remedy=node["remedy"].text
    )
