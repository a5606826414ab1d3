"""Reads Bitol ODPS 1.1.0 descriptors: a product's folder becomes a `Product`.

Checked against the standard's schema and what our mesh needs: an owner with an e-mail
address, a contract and an SQL file for each output port, the four management ports.
Not here: what only the whole project knows (`project`), and the policies (`policies`).

    product = load_product(Path("products/call_center"))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mesh.contract.custom import INPUT_PORT, choice, custom_properties, flag, how_long_kept, text
from mesh.contract.masking import masked_contracts, origin_of
from mesh.contract.model import Contract, InputPort, OutputPort, Product
from mesh.contract.names import (
    is_email,
    is_kebab,
    listed,
    nearest,
    parse_topic,
    parse_version,
    shown,
    to_snake,
)
from mesh.contract.odcs import load_contract
from mesh.contract.ports import check_apart, named_ports, port_of
from mesh.contract.schema_check import schema_faults
from mesh.contract.yamlfile import Node, Report, read_yaml
from mesh.errors import InvalidFile

__all__ = ["DESCRIPTOR", "MANAGEMENT", "load_product"]

DESCRIPTOR = "product.yaml"
MANAGEMENT = ("discoverability", "observability", "control", "dictionary")
_RULE = "product"


def load_product(folder: Path, *, needs_sql: bool = True) -> Product:
    """Read the product in *folder*. Raises `InvalidFile` with the faults of all its files.

    A product that another runtime runs has no SQL; ours *needs_sql*.
    """
    report = Report()
    root = read_yaml(folder / DESCRIPTOR).root
    report.faults += schema_faults(root.file, "odps-1.1.0")
    contracts = _contracts(folder, report)
    contracts |= masked_contracts(root, contracts, report)
    check_apart(contracts.values(), report)
    _check_head(root, folder, report)
    _check_management(root, report)
    product = Product(
        id=root["id"].text,
        version=root["version"].text,
        name=root["name"].text or root["id"].text,
        domain=root["domain"].text,
        owner=_owner(root, report),
        description=" ".join(root["description"]["purpose"].text.split()),
        inputs=_inputs(root, contracts, report),
        outputs=_outputs(root, contracts, folder, report, needs_sql=needs_sql),
        contracts=tuple(contracts.values()),
        folder=folder,
        document=root.file.document,
    )
    _check_unnamed(root, contracts, report)
    report.raise_faults()
    return product


def _contracts(folder: Path, report: Report) -> dict[str, Contract]:
    """Return the folder's contracts that have no fault, by id."""
    found: dict[str, Contract] = {}
    for path in sorted((folder / "contracts").glob("*.y*ml")):
        try:
            contract = load_contract(path)
        except InvalidFile as error:
            report.faults += error.faults
            continue
        place = Node(read_yaml(path), ("id",), contract.id)
        expected = f"{to_snake(contract.port)}.odcs.yaml"
        if path.name != expected:
            report.fault(place, f"the file of {contract.id}", f"call it {expected}", rule=_RULE)
        found[contract.id] = contract
    return found


def _check_head(root: Node, folder: Path, report: Report) -> None:
    identity, expected = root["id"], folder.resolve().name.replace("_", "-")
    if not is_kebab(identity.text) or identity.text != expected:
        problem = f"id {shown(identity.value)} is not that of the folder {folder.name}"
        report.fault(identity, problem, f"write `id: {expected}`", rule=_RULE)
    if root["apiVersion"].value in ("v1.0.0", "v0.9.0"):
        problem = f"apiVersion is {shown(root['apiVersion'].value)}"
        report.fault(root["apiVersion"], problem, "write v1.1.0", rule=_RULE)
    if not parse_version(root["version"].text):
        problem = f"version is {shown(root['version'].value)}"
        report.fault(root["version"], problem, "write three numbers, as 1.0.0", rule=_RULE)
    if not is_kebab(root["domain"].text):
        problem = f"domain is {shown(root['domain'].value)}"
        report.fault(root["domain"], problem, "name the domain, in kebab-case", rule=_RULE)
    if not root["description"]["purpose"].text:
        problem = "the description has no purpose"
        report.fault(root["description"], problem, "add `purpose:`: what for", rule=_RULE)


def _owner(root: Node, report: Report) -> str:
    """Return the e-mail address of the team member whose role is owner."""
    members = root["team"]["members"].items
    owners = [one["username"] for one in members if one["role"].text.lower() == "owner"]
    addresses = [one.text for one in owners if is_email(one.text)]
    if not addresses:
        place = owners[0] if owners else root["team"]
        remedy = "give `team:` a member with `role: owner` and an e-mail address as `username:`"
        report.fault(place, "no owner who can be reached by e-mail", remedy, rule="owner")
    return addresses[0] if addresses else ""


def _check_management(root: Node, report: Report) -> None:
    ports = root["managementPorts"]
    contents = [one["content"].text for one in ports.items]
    for one in ports.items:
        if one["content"].text and one["content"].text not in MANAGEMENT:
            near = nearest(one["content"].text, MANAGEMENT)
            hint = f"did you mean {near}?" if near else f"write one of {listed(MANAGEMENT)}"
            problem = f"content is {shown(one['content'].value)}"
            report.fault(one["content"], problem, hint, rule=_RULE)
    if missing := [content for content in MANAGEMENT if content not in contents]:
        problem = f"no management port for {listed(missing)}"
        report.fault(ports, problem, "add one with that `content:` each", rule=_RULE)


def _inputs(root: Node, contracts: Mapping[str, Contract], report: Report) -> tuple[InputPort, ...]:
    ports = []
    for node in named_ports(root["inputPorts"], report):
        custom = custom_properties(node, INPUT_PORT, report)
        system = text(custom.get("system"), report, kebab=True)
        given, is_own = node["contractId"], flag(custom.get("own"), report)
        family = choice(custom.get("family"), ("relation",), report)
        if family is None:
            staged = is_own or system is not None
            _check_input(node, root["id"].text, contracts, report, is_staging=staged)
        elif given.is_given:
            report.fault(given, "a family names no contract", "remove `contractId:`", rule=_RULE)
        if is_own and (system or family):
            report.fault(node, "the product alone writes an `own` port", "remove it", rule=_RULE)
        ports.append(
            InputPort(
                name=node["name"].text,
                contract_id=given.text,
                system=system,
                keep=how_long_kept(custom.get("keep"), report),
                family=family,
                is_own=is_own,
                purpose=text(custom.get("purpose"), report),
            )
        )
    return tuple(ports)


def _check_input(
    node: Node,
    product_id: str,
    contracts: Mapping[str, Contract],
    report: Report,
    *,
    is_staging: bool,
) -> None:
    given, name = node["contractId"], node["name"].text
    own = given.text.startswith(f"{product_id}.")
    if not given.text:
        report.fault(node, f"input port {name} has no contract", "add `contractId:`", rule=_RULE)
    elif is_staging and given.text != f"{product_id}.{name}":
        problem = f"a staging port with the contract {shown(given.value)}"
        report.fault(given, problem, f"write {product_id}.{name}", rule=_RULE)
    elif not is_staging and own:
        problem = f"input port {name} does not say which system writes it"
        report.fault(node, problem, "add the customProperty `system`, or `own`", rule=_RULE)
    elif is_staging:
        _check_contract(given, contracts, report, visibility="priv")


def _outputs(
    root: Node,
    contracts: Mapping[str, Contract],
    folder: Path,
    report: Report,
    *,
    needs_sql: bool,
) -> tuple[OutputPort, ...]:
    ports = []
    for node in named_ports(root["outputPorts"], report, by_version=True):
        name, given = node["name"].text, node["contractId"]
        port = port_of(root["id"].text, name, given.text)
        sql_path = folder / f"{to_snake(origin_of(node) or port or name)}.sql"
        known = contracts.get(given.text)
        is_made = known is None or known.is_streamed
        if needs_sql and is_made and not sql_path.is_file():
            problem = f"output port {port or name} has no SQL"
            report.fault(node, problem, f"write {sql_path.name} beside product.yaml", rule=_RULE)
        if port is None:
            problem = f"output port {name} has the contract {shown(given.value)}"
            remedy = f"write `contractId: {root['id'].text}.{name}`"
            report.fault(given, problem, remedy, rule=_RULE)
            continue
        if origin_of(node):
            contract = known  # or what is wrong with it is said already
        else:
            contract = _check_contract(given, contracts, report, visibility="pub")
        if contract is None:
            continue
        if node["version"].is_given and node["version"].text != contract.version:
            problem = f"version {shown(node['version'].value)} is not that of its contract"
            report.fault(node["version"], problem, f"write {contract.version}", rule=_RULE)
        if contract.domain != root["domain"].text:
            problem = f"domain {root['domain'].text} is not that of {contract.topic}"
            report.fault(root["domain"], problem, f"write {contract.domain}", rule=_RULE)
        ports.append(OutputPort(name=port, contract=contract, sql_path=sql_path))
    if not root["outputPorts"].items:
        report.fault(root["outputPorts"], "no output port", "add `outputPorts:`", rule=_RULE)
    return tuple(ports)


def _check_contract(
    given: Node, contracts: Mapping[str, Contract], report: Report, *, visibility: str
) -> Contract | None:
    """Return the contract that a port names, unless it has faults or is not there."""
    contract = contracts.get(given.text)
    if contract is None:
        name = f"contracts/{to_snake(given.text.partition('.')[2])}.odcs.yaml"
        if not (given.file.path.parent / name).exists():
            report.fault(given, f"no contract {given.text}", f"write {name}", rule=_RULE)
        return None
    topic = parse_topic(contract.topic)
    if topic and topic.visibility != visibility:
        place = Node(read_yaml(contract.path), ("schema", 0, "physicalName"), None)
        problem = f"{contract.topic} is not a {visibility} topic"
        report.fault(place, problem, f"let it begin with {visibility}.", rule=_RULE)
    return contract


def _check_unnamed(root: Node, contracts: Mapping[str, Contract], report: Report) -> None:
    ports = root["inputPorts"].items + root["outputPorts"].items
    named = {one["contractId"].text for one in ports}
    for contract in contracts.values():
        if contract.id not in named:
            place = Node(read_yaml(contract.path), ("id",), None)
            remedy = f"name {contract.id} in a port of product.yaml, or remove the file"
            report.fault(place, "a contract that no port names", remedy, rule=_RULE)
