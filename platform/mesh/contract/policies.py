"""The rules that every product keeps, as pure functions over the product and its project.

Each yields findings; `check_product` runs them all. A catalogue runs the same functions over
descriptors that arrive as messages. Not here: the form of the files (`odcs`, `odps`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from mesh.contract.faults import Fault
from mesh.contract.identifiers import Identifier
from mesh.contract.links import link_faults, name_of
from mesh.contract.model import Contract, Field, Product
from mesh.contract.names import is_email, listed, nearest, to_snake
from mesh.contract.odps import DESCRIPTOR
from mesh.contract.project import Project
from mesh.contract.yamlfile import YamlPath, read_yaml
from mesh.errors import InvalidFile

__all__ = ["POLICIES", "Finding", "check_product"]

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A policy that a product does not keep: the fault, its place in the document, its level."""

    fault: Fault
    where: YamlPath
    level: Level = "error"


Policy: TypeAlias = Callable[[Product, Project], Iterator[Finding]]


def check_product(product: Product, project: Project) -> list[Finding]:
    """Return what all policies find, with the lines of the files they are about."""
    return [_with_line(one) for policy in POLICIES for one in policy(product, project)]


def has_owner(product: Product, _project: Project) -> Iterator[Finding]:
    """A product has an owner who can be reached by e-mail."""
    if not is_email(product.owner):
        yield _finding(
            "owner",
            product.folder / DESCRIPTOR,
            ("team",),
            f"{product.id} has no owner",
            "give `team:` a member with `role: owner` and an e-mail address as `username:`",
        )


def holds_an_identifier(product: Product, project: Project) -> Iterator[Finding]:
    """Every output port holds at least one identifier of the company's list."""
    for port in product.outputs:
        held = {field.identifier for field in port.contract.fields}
        if held.isdisjoint(project.identifiers):
            yield _finding(
                "identifier-held",
                port.contract.path,
                ("schema", 0, "properties"),
                f"{port.contract.id} holds no identifier, so nobody can join it",
                "mark a field with the customProperty `identifier`:"
                f" {listed(sorted(project.identifiers))}",
            )


def uses_known_identifiers(product: Product, project: Project) -> Iterator[Finding]:
    """A field's identifier, and a relation's ends, stand on the company's list."""
    for contract in product.contracts:
        for field in contract.fields:
            if field.identifier and field.identifier not in project.identifiers:
                where = (*_place(contract, field), "customProperties")
                yield _unknown(contract, where, field.identifier, project.identifiers)
        for where, name in _relation_ends(contract):
            if name not in project.identifiers:
                yield _unknown(contract, where, name, project.identifiers)


def marks_personal_fields(product: Product, project: Project) -> Iterator[Finding]:
    """A field whose identifier is personal on the company's list is marked as personal."""
    for contract in product.contracts:
        for field in contract.fields:
            known = project.identifiers.get(field.identifier or "")
            if known and known.is_personal and not field.is_personal:
                yield _finding(
                    "personal-marked",
                    contract.path,
                    _place(contract, field),
                    f"{field.name} holds the personal identifier {known.name}, unmarked",
                    "add the customProperty `personal` with `value: true`",
                )


def says_the_purpose(product: Product, _project: Project) -> Iterator[Finding]:
    """Personal data has a purpose."""
    for contract in product.contracts:
        if contract.has_personal_fields and not contract.purpose:
            yield _finding(
                "personal-purpose",
                contract.path,
                ("customProperties",),
                f"{contract.id} has personal fields and no purpose",
                "add the customProperty `purpose`: what the personal data is kept for",
            )


def names_identifiers(product: Product, project: Project) -> Iterator[Finding]:
    """A field that is called as an identifier is says so (a warning)."""
    by_name = {to_snake(name): name for name in project.identifiers}
    for contract in product.contracts:
        for field in contract.fields:
            if field.identifier is None and field.name in by_name:
                found = _finding(
                    "identifier-unmarked",
                    contract.path,
                    _place(contract, field),
                    f"{field.name} looks like the identifier {by_name[field.name]}",
                    f"add the customProperty `identifier` with `value: {by_name[field.name]}`",
                )
                yield replace(found, level="warning")


def reads_what_stays(product: Product, project: Project) -> Iterator[Finding]:
    """An input port reads no contract that is about to go (a warning)."""
    for index, port in enumerate(product.inputs):
        contract = project.contracts.get(port.contract_id)
        if contract and contract.product != product.id and contract.status in _GOING:
            found = _finding(
                "input-deprecated",
                product.folder / DESCRIPTOR,
                ("inputPorts", index, "contractId"),
                f"{contract.id} is {contract.status}, and {product.id} reads it",
                "read the next major version; the old one can go when nobody reads it",
            )
            yield replace(found, level="warning")


_GOING = ("deprecated", "retired")


def states_links(product: Product, _project: Project) -> Iterator[Finding]:
    """The port of a relation has the one schema that all relation ports share."""
    for port in product.outputs:
        for problem, remedy in link_faults(port.contract):
            where = ("schema", 0, "properties")
            yield _finding("relation-links", port.contract.path, where, problem, remedy)


def has_the_authority(product: Product, project: Project) -> Iterator[Finding]:
    """A relation has one authority: no two products declare the same.

    Files do not say who was there first, so both are told of the other.
    """
    others = [each for each in project.products.values() if each.id != product.id]
    for contract in (each for each in product.contracts if each.relation):
        name = name_of(contract)
        for other in others:
            if name in [name_of(each) for each in other.contracts if each.relation]:
                yield _finding(
                    "relation-authority",
                    contract.path,
                    ("id",),
                    f"{other.id} has the authority over {name} already",
                    f"read the port of {other.id}, or agree with {other.owner} who states it",
                )


POLICIES: tuple[Policy, ...] = (
    has_owner,
    holds_an_identifier,
    uses_known_identifiers,
    marks_personal_fields,
    says_the_purpose,
    names_identifiers,
    reads_what_stays,
    states_links,
    has_the_authority,
)


def _unknown(
    contract: Contract, where: YamlPath, name: str, known: Mapping[str, Identifier]
) -> Finding:
    near = nearest(name, known)
    return _finding(
        "identifier-known",
        contract.path,
        where,
        f"{name} is not on the company's list of identifiers",
        f"did you mean {near}?" if near else f"the list has {listed(sorted(known)) or 'none'}",
    )


def _relation_ends(contract: Contract) -> Iterator[tuple[YamlPath, str]]:
    customs = contract.document.get("customProperties")
    for index, one in enumerate(customs if isinstance(customs, list) else []):
        relation = one.get("value") if one.get("property") == "relation" else {}
        for key in ("from", "to"):
            if isinstance(relation, dict) and key in relation:
                yield ("customProperties", index, "value", key), str(relation[key])


def _place(contract: Contract, field: Field) -> YamlPath:
    return ("schema", 0, "properties", contract.fields.index(field))


def _finding(rule: str, path: Path, where: YamlPath, problem: str, remedy: str) -> Finding:
    fault = Fault(path=path, line=0, problem=problem, remedy=remedy, rule=rule)
    return Finding(fault=fault, where=where)


def _with_line(finding: Finding) -> Finding:
    """Return the finding with its line, where the file can still be read."""
    try:
        line = read_yaml(finding.fault.path).line_of(finding.where)
    except InvalidFile:
        return finding
    return replace(finding, fault=replace(finding.fault, line=line))
