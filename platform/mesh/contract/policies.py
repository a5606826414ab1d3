"""The rules that every product keeps, as pure functions over the product and its project.

Each yields findings; `check_product` runs them all. A catalogue runs the same functions over
descriptors that arrive as messages. Not here: the form of the files (`odcs`, `odps`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mesh.contract.domain_policies import domain_findings, domain_policies
from mesh.contract.identifiers import Identifier
from mesh.contract.links import link_faults, name_of
from mesh.contract.model import Contract, Product
from mesh.contract.names import is_email, listed, nearest, to_snake
from mesh.contract.odps import DESCRIPTOR
from mesh.contract.policy import Checked, Finding, Policy, finding, place_of, warning, with_line
from mesh.contract.project import Project
from mesh.contract.promises import PROMISES
from mesh.contract.yamlfile import YamlPath

__all__ = ["POLICIES", "Finding", "check_product", "rulebook"]


def check_product(product: Product, project: Project) -> list[Finding]:
    """Return what all policies find, with the lines of the files they are about.

    Raises `InvalidFile` where the product's domain has policies that cannot be read.
    """
    found = [one for policy in POLICIES for one in policy.check(product, project)]
    return [with_line(one) for one in (*found, *domain_findings(product, project))]


def has_owner(product: Product, _project: Project) -> Iterator[Finding]:
    """A product has an owner who can be reached by e-mail."""
    if not is_email(product.owner):
        yield finding(
            "owner",
            product.folder / DESCRIPTOR,
            ("team",),
            f"{product.id} has no owner",
            "give `team:` a member with `role: owner` and an e-mail address as `username:`",
        )


def holds_an_identifier(product: Product, project: Project) -> Iterator[Finding]:
    """Every output port holds at least one identifier of the company's list.

    Of a batch port that is a draft it is asked and not demanded: a dump must always be possible.
    """
    for port in product.outputs:
        held = {field.identifier for field in port.contract.fields}
        if held.isdisjoint(project.identifiers):
            is_raw = port.contract.kind == "batch" and port.contract.status == "draft"
            yield (warning if is_raw else finding)(
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
                where = (*place_of(contract, field), "customProperties")
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
                yield finding(
                    "personal-marked",
                    contract.path,
                    place_of(contract, field),
                    f"{field.name} holds the personal identifier {known.name}, unmarked",
                    "add the customProperty `personal` with `value: true`",
                )


def classifies_personal_fields(product: Product, _project: Project) -> Iterator[Finding]:
    """A personal field says how confidential it is."""
    for contract in product.contracts:
        for field in contract.fields:
            if field.is_personal and not field.classification:
                yield finding(
                    "personal-classified",
                    contract.path,
                    place_of(contract, field),
                    f"{field.name} is personal and has no classification",
                    "add `classification: confidential`, or how your company calls it",
                )


def says_the_purpose(product: Product, _project: Project) -> Iterator[Finding]:
    """Personal data has a purpose."""
    for contract in product.contracts:
        if contract.has_personal_fields and not contract.purpose:
            yield finding(
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
            # A masked port's field is no identifier any more.
            is_made = contract.masked_from is not None and field.masked is not None
            if field.identifier is None and field.name in by_name and not is_made:
                yield warning(
                    "identifier-unmarked",
                    contract.path,
                    place_of(contract, field),
                    f"{field.name} looks like the identifier {by_name[field.name]}",
                    f"add the customProperty `identifier` with `value: {by_name[field.name]}`",
                )


def reads_what_stays(product: Product, project: Project) -> Iterator[Finding]:
    """An input port reads no contract that is about to go (a warning)."""
    for index, port in enumerate(product.inputs):
        contract = project.contracts.get(port.contract_id)
        if contract and contract.product != product.id and contract.status in _GOING:
            yield warning(
                "input-deprecated",
                product.folder / DESCRIPTOR,
                ("inputPorts", index, "contractId"),
                f"{contract.id} is {contract.status}, and {product.id} reads it",
                "read the next major version; the old one can go when nobody reads it",
            )


_GOING = ("deprecated", "retired")


def states_links(product: Product, _project: Project) -> Iterator[Finding]:
    """The port of a relation has the one schema that all relation ports share."""
    for port in product.outputs:
        for problem, remedy in link_faults(port.contract):
            where = ("schema", 0, "properties")
            yield finding("relation-links", port.contract.path, where, problem, remedy)


def has_the_authority(product: Product, project: Project) -> Iterator[Finding]:
    """A relation has one authority: the first product that a catalogue accepted with it.

    Files do not say who was there first, so both are told of the other.
    """
    for contract in (each for each in product.contracts if each.relation):
        name = name_of(contract)
        for other in authorities(product, name, project):
            yield finding(
                "relation-authority",
                contract.path,
                ("id",),
                f"{other.id} has the authority over {name} already",
                f"read the port of {other.id}, or agree with {other.owner} who states it",
            )


def authorities(product: Product, relation: str, project: Project) -> list[Product]:
    """Who else states *relation*, unless *product* was accepted with it."""

    def states(other: Product) -> bool:
        return relation in [name_of(each) for each in other.contracts if each.relation]

    known = project.accepted.get(product.id)
    if known is not None and states(known):
        return []
    return [each for each in project.products.values() if each.id != product.id and states(each)]


POLICIES = (
    Checked(rule="owner", check=has_owner),
    Checked(rule="identifier-held", check=holds_an_identifier),
    Checked(rule="identifier-known", check=uses_known_identifiers),
    Checked(rule="personal-marked", check=marks_personal_fields),
    Checked(rule="personal-classified", check=classifies_personal_fields),
    Checked(rule="personal-purpose", check=says_the_purpose),
    Checked(rule="relation-links", check=states_links),
    Checked(rule="relation-authority", check=has_the_authority),
    *PROMISES,
    Checked(rule="identifier-unmarked", check=names_identifiers, level="warning"),
    Checked(rule="input-deprecated", check=reads_what_stays, level="warning"),
)
# What the loaders judge before any policy can.
LOADED = (
    Policy(rule="yaml", says="Files are a plain and harmless subset of YAML 1.2."),
    Policy(rule="schema", says="Contracts are valid ODCS 3.2.0, descriptors valid ODPS 1.1.0."),
    Policy(rule="contract", says="A contract has a grain, a key, exact types and rules that run."),
    Policy(
        rule="product", says="A descriptor has its ports, their contracts and management ports."
    ),
    Policy(rule="custom", says="Our customProperties stand where they belong, well-formed."),
    Policy(rule="identity", says="A product describes itself alone, and in its own domain."),
)


def rulebook(root: Path) -> list[Policy]:
    """Every policy, the warnings last, then those of domains.

    Raises `InvalidFile` where a domain's cannot be read.
    """
    checked = [each.policy for each in POLICIES]
    return [*LOADED, *sorted(checked, key=lambda each: each.level), *domain_policies(root)]


def _unknown(
    contract: Contract, where: YamlPath, name: str, known: Mapping[str, Identifier]
) -> Finding:
    near = nearest(name, known)
    return finding(
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
