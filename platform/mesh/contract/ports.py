"""The names of ports: each once, and each major version of an output port apart from the others.

The first contract of a port is `<product>.<port>`; a major version beside it is
`<product>.<port>.v<major>`, and so are its file, its SQL and its table. Both are called by the
port's name in the descriptor, as the standard asks, and told apart by version.

Not here: what a port's contract says (`odcs`), and the rest of a descriptor (`odps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from mesh.contract.model import Contract
from mesh.contract.names import is_kebab, shown
from mesh.contract.yamlfile import Node, Report, read_yaml

__all__ = ["check_apart", "named_ports", "port_of"]

_RULE = "product"


def port_of(product_id: str, name: str, contract_id: str) -> str | None:
    """Return what a port is called by the mesh: `calls`, or `calls.v2` for a major beside it.

    None where the contract is not that of the port *name* of this product.
    """
    port = contract_id.removeprefix(f"{product_id}.")
    is_own = contract_id.startswith(f"{product_id}.")
    return port if is_own and re.fullmatch(rf"{re.escape(name)}(\.v[0-9]+)?", port) else None


def named_ports(ports: Node, report: Report, *, by_version: bool = False) -> list[Node]:
    """Return the ports whose name can be used, each once.

    *by_version*, a name may be there once for each contract.
    """
    found: dict[tuple[str, str], Node] = {}
    for node in ports.items:
        name = node["name"].text
        key = (name, node["contractId"].text if by_version else "")
        if key in found:
            report.fault(node, f"the port {name} is there twice", "rename one", rule=_RULE)
        elif name and not is_kebab(name):
            report.fault(
                node["name"], f"{shown(name)} is not kebab-case", "use a-z, 0-9 and -", rule=_RULE
            )
        elif name:
            found[key] = node
    return list(found.values())


def check_apart(contracts: Iterable[Contract], report: Report) -> None:
    """Find contracts of one product that would share a topic or a table."""
    topics: dict[str, Contract] = {}
    tables: dict[str, Contract] = {}
    for one in contracts:
        place = Node(read_yaml(one.path), ("id",), None)
        for known, key, what in ((topics, one.topic, "topic"), (tables, one.name, "table")):
            other = known.setdefault(key, one)
            if other is not one:
                problem = f"{one.id} and {other.id} share the {what} {key}"
                report.fault(place, problem, "rename one, or give it another major", rule=_RULE)
