"""Whose is what landed in a warehouse: the product that takes the same fields in, and its domain.

    owners = Owners(project, flow.tables)
    owners.contract_of("landing.finished_calls").id        # call-center.finished-calls

A rule, and no list: a table is the staging port's that an operational system writes and that has
all of its columns. Of several it is the one with the fewest others, then the one that is called so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from mesh.contract.columns import PortColumns, PortReader, Ref
from mesh.contract.links import LINK_FIELDS
from mesh.contract.model import Contract, OutputPort
from mesh.contract.names import to_kebab
from mesh.contract.project import Project
from mesh.contract.sqlrows import Fields
from mesh.migrate.flow import LANDING, Tables

__all__ = ["Owners"]


class Owners:
    """What the products of a *project* have of a warehouse's *tables*."""

    def __init__(self, project: Project, tables: Tables) -> None:
        self.project = project
        self.landing: Mapping[str, Contract | None] = {
            name: self._staging(name, columns)
            for name, columns in tables.items()
            if name.startswith(LANDING)
        }
        reader = PortReader(project)
        self._made: dict[str, PortColumns] = {
            port.contract.id: reader.columns(port.contract)
            for product in project.products.values()
            for port in product.outputs
        }

    def contract_of(self, table: str) -> Contract | None:
        """The staging port that has what landed in *table*; None where nobody takes it in."""
        return self.landing.get(table)

    def refs(self, origins: Fields) -> frozenset[Ref]:
        """What landed, as the fields that products take in; what nobody does is left out."""
        found = ((self.landing.get(table), name) for table, name in origins)
        return frozenset(Ref(contract.id, name) for contract, name in found if contract)

    def identifiers(self, origins: Fields) -> frozenset[str]:
        """Which identifiers of the company these are; empty where any of them is none.

        One that a contract marks, or a field that is called as one which some contract marks.
        """
        types = {self._types.get(name) for _, name in origins}
        return frozenset() if None in types else frozenset(str(each) for each in types)

    def ports(self, product: str) -> Iterator[OutputPort]:
        """The output ports of a product that have SQL of their own."""
        for port in self.project.product(product).outputs:
            if port.contract.is_streamed and port.contract.masked_from is None:
                yield port

    def has(self, port: OutputPort, wanted: frozenset[Ref]) -> bool:
        """Whether a field of *port* is made of all of *wanted*, and maybe of more."""
        return any(wanted <= made for made in self._made[port.contract.id].values.values())

    def extra(self, port: OutputPort) -> int:
        """Of how many fields a port is made, by which the nearest of several is told."""
        return len(frozenset[Ref]().union(*self._made[port.contract.id].values.values()))

    @cached_property
    def ring(self) -> OutputPort | None:
        """The port that says which statements of all relations count."""
        wanted = {name for name, _, _ in LINK_FIELDS}
        for product in self.project.products.values():
            if any(each.family for each in product.inputs):
                for port in product.outputs:
                    if wanted <= {each.name for each in port.contract.fields}:
                        return port
        return None

    def relations(self, wanted: frozenset[Ref]) -> tuple[Contract, ...]:
        """The relations whose statements are made of all these fields, the nearest first."""
        found = [
            port
            for product in self.project.products.values()
            for port in product.outputs
            if port.contract in self.project.relations
            and all(self.has(port, frozenset({each})) for each in wanted)
        ]
        return tuple(each.contract for each in sorted(found, key=self.extra))

    @cached_property
    def _types(self) -> Mapping[str, str]:
        fields = (each for one in self.project.contracts.values() for each in one.fields)
        return {
            each.name: each.identifier
            for each in fields
            if each.identifier in self.project.identifiers and each.identifier
        }

    def _staging(self, table: str, columns: tuple[str, ...]) -> Contract | None:
        found = [
            contract
            for contract in self._staged
            if set(columns) <= {each.name for each in contract.fields}
        ]
        called = to_kebab(table.removeprefix(LANDING))
        found.sort(key=lambda each: (len(each.fields), each.port != called, each.id))
        return found[0] if found else None

    @cached_property
    def _staged(self) -> tuple[Contract, ...]:
        known = self.project.contracts
        return tuple(
            known[port.contract_id]
            for product in self.project.products.values()
            for port in product.inputs
            if port.system and port.contract_id in known
        )
