"""All products of one project, with its identifiers and people: who writes and reads what.

project = load_project(Path("."))
project.readers_of(project.contract("call-center.calls"))  # ('ada', 'grace')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mesh.contract.identifiers import Identifier, load_identifiers
from mesh.contract.links import accepted_relations
from mesh.contract.model import Contract, InputPort, Product
from mesh.contract.names import listed, nearest
from mesh.contract.odps import DESCRIPTOR, load_product
from mesh.contract.people import Person, load_people
from mesh.contract.references import check_people, report_unknown
from mesh.contract.yamlfile import Node, Report, read_yaml
from mesh.errors import InvalidFile, WrongUse

__all__ = ["IDENTIFIERS", "PEOPLE", "Project", "load_lists", "load_project"]

IDENTIFIERS = Path("company/identifiers.yaml")
PEOPLE = Path("company/people.yaml")

_RULE = "project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The products of one project by id, and the company's lists by name.

    *accepted* has what a catalogue accepted last of each product, where one is asked. *decided*
    says of contract and principal whether its owner lets this one read, whatever files say.
    """

    root: Path
    products: Mapping[str, Product]
    identifiers: Mapping[str, Identifier]
    people: Mapping[str, Person]
    accepted: Mapping[str, Product] = field(default_factory=lambda: MappingProxyType({}))
    decided: Mapping[tuple[str, str], bool] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def contracts(self) -> Mapping[str, Contract]:
        """Every contract, by id."""
        return {one.id: one for product in self.products.values() for one in product.contracts}

    @property
    def relations(self) -> tuple[Contract, ...]:
        """The accepted relation ports: of the fixed schema, and with one authority."""
        return accepted_relations(
            [port.contract for product in self.products.values() for port in product.outputs]
        )

    @property
    def systems(self) -> tuple[str, ...]:
        """The operational systems that write staging topics, by name."""
        return tuple(sorted({port.system for _, port in self._inputs() if port.system}))

    def product(self, product_id: str) -> Product:
        """Return the product with this id. Raises `WrongUse` where there is none."""
        if product_id in self.products:
            return self.products[product_id]
        raise WrongUse(_unknown("product", product_id, self.products))

    def contract(self, contract_id: str) -> Contract:
        """Return the contract with this id. Raises `WrongUse` where there is none."""
        found = self.contracts.get(contract_id)
        if found:
            return found
        raise WrongUse(_unknown("contract", contract_id, self.contracts))

    def input_contract(self, port: InputPort) -> Contract:
        """Return the contract of an input port, whoever's it is."""
        return self.contract(port.contract_id)

    def readers_of(self, contract: Contract) -> tuple[str, ...]:
        """Return the principals that may read: by the files, and by the owner's word since.

        By an input port a product reads its own ports, those with `access: auto`, and those that
        an owner gives it; of others it asks for them.
        """
        products = {
            p.id
            for p, port in self._inputs()
            if port.contract_id == contract.id
            and (
                contract.access == "auto"
                or contract.product == p.id
                or self.giver_of(contract, p.id)
            )
        }
        if contract in self.relations:
            # A port that carries a relation grants itself to whoever reads them all.
            products |= {p.id for p, port in self._inputs() if port.family == "relation"}
        people = {one.name for one in self.people.values() if one.is_granted(contract.id)}
        said = {
            name: is_granted
            for (id_, name), is_granted in self.decided.items()
            if id_ == contract.id
        }
        return tuple(sorted(name for name in products | people | {*said} if said.get(name, True)))

    @property
    def limited(self) -> frozenset[str]:
        """The people who read what they are granted by named queries alone."""
        return frozenset(name for name, one in self.people.items() if one.is_limited)

    def giver_of(self, contract: Contract, product_id: str) -> str | None:
        """Return the owner who gives a product this port from the start, if one does."""
        line = (product_id, contract.id)
        return next((one.name for one in self.people.values() if line in one.gives), None)

    def owners_of(self, product_id: str) -> tuple[str, ...]:
        """Return the people who own the product, and may pause it."""
        return tuple(one.name for one in self.people.values() if product_id in one.owns)

    def writer_of(self, contract: Contract) -> str:
        """Return the one principal that may write: the product, or a staging port's system."""
        for product, port in self._inputs():
            if port.contract_id == contract.id and port.system and product.id == contract.product:
                return port.system
        return contract.product

    def _inputs(self) -> Iterator[tuple[Product, InputPort]]:
        for product in self.products.values():
            for port in product.inputs:
                yield product, port


def load_project(root: Path) -> Project:
    """Read every product below `products/` and the company's lists.

    Raises `InvalidFile` with the faults of all files.
    """
    report = Report()
    products: dict[str, Product] = {}
    for descriptor in sorted((root / "products").glob(f"*/{DESCRIPTOR}")):
        try:
            product = load_product(descriptor.parent)
        except InvalidFile as error:
            report.faults += error.faults
            continue
        if product.id in products:
            place = Node(read_yaml(descriptor), ("id",), None)
            other = products[product.id].folder.name
            report.fault(place, f"{product.id} is there twice: {other}", "rename one", rule=_RULE)
        products[product.id] = product
    project = Project(
        root=root,
        products=products,
        identifiers=_identifiers(root / IDENTIFIERS, report),
        people=_people(root / PEOPLE, report),
    )
    if not report.faults:  # else every reference to what could not be read would be one more
        _check_references(project, report)
        check_people(project.people, products, root / PEOPLE, report)
        _check_principals(project, report)
    report.raise_faults()
    return project


def load_lists(root: Path) -> Project:
    """Read the company's lists alone, for whoever has the products from elsewhere.

    Raises `InvalidFile` with the faults of all files.
    """
    report = Report()
    found = Project(
        root=root,
        products={},
        identifiers=_identifiers(root / IDENTIFIERS, report),
        people=_people(root / PEOPLE, report),
    )
    report.raise_faults()
    return found


def _identifiers(path: Path, report: Report) -> Mapping[str, Identifier]:
    try:
        return load_identifiers(path) if path.exists() else {}
    except InvalidFile as error:
        report.faults += error.faults
        return {}


def _people(path: Path, report: Report) -> Mapping[str, Person]:
    try:
        return load_people(path) if path.exists() else {}
    except InvalidFile as error:
        report.faults += error.faults
        return {}


def _check_references(project: Project, report: Report) -> None:
    """Find ports that name a contract which no product has."""
    known = project.contracts
    for product in project.products.values():
        for index, port in enumerate(product.inputs):
            if port.family is None and port.contract_id not in known:
                file = read_yaml(product.folder / DESCRIPTOR)
                place = Node(file, ("inputPorts", index, "contractId"), None)
                report_unknown(place, "contract", port.contract_id, known, report)


def _check_principals(project: Project, report: Report) -> None:
    """Find people who are called as a product or a system is: a principal has one name."""
    taken = {*project.products, *project.systems}
    for index, name in enumerate(project.people):
        if name in taken:
            place = Node(read_yaml(project.root / PEOPLE), ("people", index, "name"), None)
            problem = f"{name} is a product or a system already"
            report.fault(place, problem, "give the person another name", rule=_RULE)
    for product in project.products.values():
        for port in product.inputs:
            if port.system in project.products:
                place = Node(read_yaml(product.folder / DESCRIPTOR), ("inputPorts",), None)
                problem = f"the system {port.system} is called as a product is"
                report.fault(place, problem, "give the system another name", rule=_RULE)


def _unknown(kind: str, name: str, known: Mapping[str, object]) -> str:
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"there are {listed(sorted(known)) or 'none'}"
    return f"there is no {kind} {name}: {hint}"
