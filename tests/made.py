"""Products that `mesh new` makes of ports that ship."""

from __future__ import annotations

from dataclasses import replace

from mesh.contract.odps import load_product
from mesh.contract.policies import check_product
from mesh.contract.project import load_project
from mesh.product.cases import run_cases
from mesh.product.new import Wish, create
from mesh.product.plan import plan_product
from tests.repository import ROOT

__all__ = ["PORTS", "PROJECT", "assert_whole", "fields_of", "file_of", "made"]

PROJECT = load_project(ROOT)
PORTS = {
    port.contract.id: port.contract
    for product in PROJECT.products.values()
    for port in product.outputs
    if port.contract.is_streamed
}


def made(root, *ports, project=PROJECT, name="signals", **wish):
    """What comes of these ports, and the project with it."""
    contracts = tuple(project.contract(each) for each in ports)
    wished = Wish(name=name, domain="marketing", ports=contracts, **wish)
    found = create(root, project, wished)
    product = load_product(root / "products" / name)
    return found, replace(project, products={**project.products, name: product})


def assert_whole(project, name="signals"):
    """The product keeps every policy, and its cases hold."""
    product = project.product(name)
    outcomes = run_cases(plan_product(project, name))
    assert [e.fault for e in check_product(product, project) if e.level == "error"] == []
    assert [each.difference for each in outcomes if not each.is_ok] == []
    assert outcomes


def file_of(root, name):
    return root / "products" / "signals" / name


def fields_of(project, name="signals"):
    return {each.name: each for each in project.contract(f"{name}.{name}").fields}
