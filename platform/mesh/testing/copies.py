"""A copy of a project for one test: some of its products, under domains of the test's own.

Not here: what a test does with it (`workbench`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from mesh.contract.project import PEOPLE
from mesh.testing.projects import read_project

__all__ = ["copy_project", "withdraw"]

COMPANY, PRODUCTS = "company", "products"


def copy_project(source: Path, root: Path, mark: str, products: Sequence[str] = ()) -> None:
    """Copy the project at *source* to *root*, its domains marked: with *products*, or with all.

    What people own or are granted of products that are left out is left out too.
    """
    project = read_project(source)
    chosen = [project.product(each) for each in products] or project.products.values()
    without = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(source / COMPANY, root / COMPANY, ignore=without)
    for each in chosen:
        shutil.copytree(each.folder, root / PRODUCTS / each.folder.name, ignore=without)
    if (root / PEOPLE).exists():
        withdraw(
            root / PEOPLE,
            products={each.id for each in chosen},
            contracts={one.id for each in chosen for one in each.contracts},
        )
    domains = "|".join(sorted({re.escape(each.domain) for each in project.products.values()}))
    # Where a domain is meant: `sales` is a queue of the call centre too.
    named = re.compile(rf"\b(domain: |owner: |pub\.|priv\.)({domains})(?![\w-])")
    for path in root.rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        path.write_text(named.sub(rf"\g<1>{mark}-\g<2>", text), encoding="utf-8")


def withdraw(path: Path, *, products: set[str], contracts: set[str]) -> None:
    """Leave people what they own, give and are granted of these, and no more."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    for person in document["people"]:
        left = {
            "owns": [each for each in person.pop("owns", []) if each in products],
            "grants": [each for each in person.pop("grants", []) if each["contract"] in contracts],
            "gives": [
                {**each, "contracts": [one for one in each["contracts"] if one in contracts]}
                for each in person.pop("gives", [])
                if each["to"] in products
            ],
        }
        person.update({name: kept for name, kept in left.items() if kept})
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
