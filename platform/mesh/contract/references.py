"""References from one file of a project to another that lead nowhere, each with what was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from mesh.contract.model import Product
from mesh.contract.names import listed, nearest
from mesh.contract.people import Person
from mesh.contract.yamlfile import Node, Report, read_yaml

__all__ = ["check_people", "report_unknown"]

_RULE = "project"


def check_people(
    people: Mapping[str, Person], products: Mapping[str, Product], path: Path, report: Report
) -> None:
    """Find what people own, are granted or give that is not there, or not theirs to give."""
    contracts = {one.id: one for each in products.values() for one in each.contracts}

    def place(*where: str | int) -> Node:
        return Node(read_yaml(path), ("people", *where), None)

    for index, person in enumerate(people.values()):
        for position, product_id in enumerate(person.owns):
            if product_id not in products:
                report_unknown(
                    place(index, "owns", position), "product", product_id, products, report
                )
        for position, grant in enumerate(person.grants):
            if grant.contract_id not in contracts:
                node = place(index, "grants", position, "contract")
                report_unknown(node, "contract", grant.contract_id, contracts, report)
        for to, contract_id in person.gives:
            if to not in products:
                report_unknown(place(index, "gives"), "product", to, products, report)
            if contract_id not in contracts:
                report_unknown(place(index, "gives"), "contract", contract_id, contracts, report)
            elif (owner := contracts[contract_id].product) not in person.owns:
                problem = f"{person.name} gives {contract_id}, and does not own {owner}"
                report.fault(place(index, "gives"), problem, "let its owner give it", rule=_RULE)


def report_unknown(
    place: Node, kind: str, name: str, known: Mapping[str, object], report: Report
) -> None:
    """Say that there is no *kind* of that name, and what was meant."""
    majors = sorted(one for one in known if kind == "contract" and _is_major_of(one, name))
    if majors:
        problem = f"{name} is read here, and its product offers it no longer"
        remedy = f"read {listed(majors)} instead; until then its product must keep it"
        report.fault(place, problem, remedy, rule=_RULE)
        return
    near = nearest(name, known)
    remedy = f"did you mean {near}?" if near else f"the {kind}s are {listed(sorted(known))}"
    report.fault(place, f"there is no {kind} {name}", remedy, rule=_RULE)


def _is_major_of(contract_id: str, other: str) -> bool:
    """Whether both are major versions of one port."""
    first, second = (re.sub(r"\.v[0-9]+$", "", one) for one in (contract_id, other))
    return first == second
