"""People: what each is granted from the start, and the products that each owns.

A grant names a contract and the purpose for which its rows may be read. Who owns a product may
pause it and decides who reads its ports (`access`); that alone lets nobody read. What an owner
gives is granted from the start to products whose input ports ask for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.contract.names import is_kebab, shown
from mesh.contract.schema_check import schema_faults
from mesh.contract.yamlfile import Node, Report, YamlFile, read_yaml

__all__ = ["Grant", "Person", "load_people"]

_RULE = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A person may read the port of this contract, for this purpose."""

    contract_id: str
    purpose: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person, who is a principal as products are; *gives* has products and contracts.

    Who *is_limited* asks the named *queries* alone, each by its name or as `name@version`.
    """

    name: str
    domain: str
    role: str = ""
    grants: tuple[Grant, ...] = ()
    owns: tuple[str, ...] = ()
    gives: tuple[tuple[str, str], ...] = ()
    queries: tuple[str, ...] = ()
    is_limited: bool = False

    def is_granted(self, contract_id: str) -> bool:
        """Whether this person may read the contract's port."""
        return any(grant.contract_id == contract_id for grant in self.grants)

    def may_ask(self, query: str, version: str) -> bool:
        """Whether this person may ask the named query in this version."""
        return not self.is_limited or bool({query, f"{query}@{version}"} & {*self.queries})


def load_people(path: Path) -> Mapping[str, Person]:
    """Read the people at *path*, by name. Raises `InvalidFile`."""
    file = read_yaml(path)
    report = Report()
    report.faults += schema_faults(file, "people")
    found = _checked(file, report)
    report.raise_faults()
    return found


def _checked(file: YamlFile, report: Report) -> dict[str, Person]:
    found: dict[str, Person] = {}
    for node in file.root["people"].items:
        name = node["name"].text
        if not is_kebab(name):
            report.fault(node["name"], f"{shown(name)} is no name", "use kebab-case", rule=_RULE)
        if name in found:
            report.fault(node["name"], f"{name} stands here twice", "remove one", rule=_RULE)
        found[name] = Person(
            name=name,
            domain=node["domain"].text,
            role=node["role"].text,
            grants=tuple(_grant(one) for one in node["grants"].items),
            owns=tuple(one.text for one in node["owns"].items),
            gives=tuple(
                (line["to"].text, contract.text)
                for line in node["gives"].items
                for contract in line["contracts"].items
            ),
            queries=tuple(one.text for one in node["queries"].items),
            is_limited=node["only"].text == "named",
        )
    return found


def _grant(node: Node) -> Grant:
    return Grant(contract_id=node["contract"].text, purpose=node["purpose"].text, line=node.line)
