"""Policies about what a product promises to others: service level, stability, fairness, names.

Not here: identifiers, personal data and relations (`policies`), and a domain's own
(`domain_policies`).
"""

from __future__ import annotations

from collections.abc import Iterator

from mesh.contract.diff import diff, needs_new_major
from mesh.contract.model import Contract, Product
from mesh.contract.names import listed
from mesh.contract.odps import DESCRIPTOR
from mesh.contract.policy import Checked, Finding, finding, warning
from mesh.contract.project import Project
from mesh.contract.sla import levels_of

__all__ = ["ANOTHER", "PROMISES", "SLA", "platform_name"]

# Of the service levels that ODCS knows, those that say when rows come.
SLA = ("latency", "frequency")
# What to do about a name that is the platform's own.
ANOTHER = "choose another name or domain"
REACHABLE = ("mailto:", "https:")


def can_be_reached(product: Product, _project: Project) -> Iterator[Finding]:
    """Whoever uses a product can reach its owner: a support channel has an address."""
    channels = product.document.get("support")
    urls = [str(each.get("url", "")) for each in channels] if isinstance(channels, list) else []
    if not any(each.startswith(REACHABLE) for each in urls):
        yield finding(
            "owner-reachable",
            product.folder / DESCRIPTOR,
            ("support",),
            f"{product.id} has no support channel with an address",
            "add `support:` with a `channel:` and its `url:`, as mailto:NAME@HOST or https://…",
        )


def declares_a_service_level(product: Product, _project: Project) -> Iterator[Finding]:
    """Every output port says how late or how often its rows come."""
    for port in product.outputs:
        if not {one.get("property") for one in levels_of(port.contract)} & set(SLA):
            yield finding(
                "sla-declared",
                port.contract.path,
                ("slaProperties",),
                f"{port.contract.id} does not say how late or how often its rows come",
                "add `slaProperties:` with the property `latency` or `frequency`, its `value:` and"
                " `unit:`",
            )


def breaks_no_reader(product: Product, project: Project) -> Iterator[Finding]:
    """A contract breaks no reader of the version that was accepted last."""
    for old, new in pairs(product, project):
        if needs_new_major(old, new):
            why = "; ".join(one.words for one in diff(old, new) if one.is_breaking)
            readers = listed(project.readers_of(old)) or "nobody yet"
            yield finding(
                "compatible",
                new.path,
                ("version",),
                f"{new.id} {new.version} breaks its readers ({readers}): {why}",
                'offer it as a new major beside this one: "Changing a contract" in'
                " docs/contracts.md",
            )


def keeps_what_is_read(product: Product, project: Project) -> Iterator[Finding]:
    """A port that others read stays."""
    known = project.accepted.get(product.id)
    own = {each.id for each in product.contracts}
    for gone in (each for each in (known.contracts if known else ()) if each.id not in own):
        readers = [one for one in project.readers_of(gone) if one != product.id]
        if readers:
            yield finding(
                "port-kept",
                product.folder / DESCRIPTOR,
                ("outputPorts",),
                f"{gone.id} is no longer offered, and {listed(readers)} may read it",
                "keep the port until its last reader has left",
            )


def raises_its_version(product: Product, project: Project) -> Iterator[Finding]:
    """A contract that changes has another version (a warning)."""
    for old, new in pairs(product, project):
        if old.version == new.version and diff(old, new):
            yield warning(
                "version-raised",
                new.path,
                ("version",),
                f"{new.id} has changed and is {new.version} still",
                "raise the minor version, or the patch where nothing was added",
            )


def waits_for_its_owner(product: Product, project: Project) -> Iterator[Finding]:
    """An input port with `access: ask` waits for its owner's word (a warning)."""
    for index, port in enumerate(product.inputs):
        contract = project.contracts.get(port.contract_id)
        if contract is None or contract.product == product.id:
            continue
        if product.id not in project.readers_of(contract):
            yield warning(
                "input-asked",
                product.folder / DESCRIPTOR,
                ("inputPorts", index, "contractId"),
                f"{contract.id} is read by {product.id} once its owner has granted it",
                f"its owner says `mesh access grant {contract.id} --to {product.id}`",
            )


def pairs(product: Product, project: Project) -> Iterator[tuple[Contract, Contract]]:
    """Each contract that was accepted before, with what it has become."""
    known = project.accepted.get(product.id)
    before = {each.id: each for each in (known.contracts if known else ())}
    for contract in product.contracts:
        if contract.id in before:
            yield before[contract.id], contract


def is_fair_where_it_decides(product: Product, _project: Project) -> Iterator[Finding]:
    """An algorithm's product carries fairness rules on every output port."""
    customs = product.document.get("customProperties")
    names = [one.get("property") for one in customs] if isinstance(customs, list) else []
    if "algorithm" not in names:
        return
    for port in product.outputs:
        if "fairness" not in customs_of(port.contract):
            yield finding(
                "algorithm-fair",
                port.contract.path,
                ("customProperties",),
                f"an algorithm makes {port.contract.id}, and it has no fairness rule",
                "add the customProperty `fairness`: by which `groups:` it is compared, and its"
                " `meaning:`",
            )


def customs_of(contract: Contract) -> list[object]:
    """The names of a contract's customProperties."""
    found = contract.document.get("customProperties")
    return [one.get("property") for one in found] if isinstance(found, list) else []


def platform_name(domain: str, product: str) -> str:
    """What is wrong with the name of a product that is the platform's own; empty for others."""
    if domain != "mesh" and not product.startswith("mesh-"):
        return ""
    return f"{product} of {domain} has a name of the platform's own"


def keeps_to_free_names(product: Product, project: Project) -> Iterator[Finding]:
    """A product takes no name that is the platform's or another principal's."""
    path = product.folder / DESCRIPTOR
    others = {name for each in project.products.values() for name in (each.id,) if each != product}
    if problem := platform_name(product.domain, product.id):
        yield finding("names-free", path, ("id",), problem, ANOTHER)
    if product.id in (*project.people, *project.systems):
        problem = f"{product.id} is a person or a system already"
        yield finding("names-free", path, ("id",), problem, "choose another name")
    for index, port in enumerate(product.inputs):
        taken = {*others, product.id, *project.people}
        if port.system and (port.system in taken or port.system.startswith("mesh-")):
            problem = f"the system {port.system} has the name of a person, a product or the mesh"
            where = ("inputPorts", index)
            yield finding("names-free", path, where, problem, "choose another name")
    for contract in product.contracts:
        if contract.port.partition(".")[0] == "descriptor":
            problem = f"{contract.topic} is where {product.id} describes itself"
            yield finding("names-free", contract.path, ("id",), problem, "rename the port")


def reads_what_is_there(product: Product, project: Project) -> Iterator[Finding]:
    """An input port names a port that is there (a warning)."""
    known = project.contracts
    for index, port in enumerate(product.inputs):
        if port.family is None and port.contract_id not in known:
            yield warning(
                "input-there",
                product.folder / DESCRIPTOR,
                ("inputPorts", index, "contractId"),
                f"no product offers {port.contract_id} yet",
                "check the name; it is read once its product is accepted",
            )


PROMISES = (
    Checked(rule="owner-reachable", check=can_be_reached),
    Checked(rule="sla-declared", check=declares_a_service_level),
    Checked(rule="compatible", check=breaks_no_reader),
    Checked(rule="port-kept", check=keeps_what_is_read),
    Checked(rule="algorithm-fair", check=is_fair_where_it_decides),
    Checked(rule="names-free", check=keeps_to_free_names),
    Checked(rule="version-raised", check=raises_its_version, level="warning"),
    Checked(rule="input-there", check=reads_what_is_there, level="warning"),
    Checked(rule="input-asked", check=waits_for_its_owner, level="warning"),
)
