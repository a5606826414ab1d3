"""A step of `mesh demo`: a change that would break who reads a port is refused, with their names.

Nothing is registered and no file is touched: the changed contract exists in memory only.
"""

from __future__ import annotations

from dataclasses import replace

from mesh.cli.app import App
from mesh.contract.model import Contract
from mesh.contract.project import Project
from mesh.errors import DemoFailed, SchemaIncompatible

__all__ = ["CONTRACT", "refuse_change"]

CONTRACT, FIELD = "call-center.calls", "duration_s"


def refuse_change(app: App) -> str:
    """Leave a required field out of a contract, and have it registered as `mesh up` would."""
    from mesh.control.registrar import require_compatible

    contract = app.project.contract(CONTRACT)
    fields = tuple(each for each in contract.fields if each.name != FIELD)
    readers = app.project.readers_of(contract)
    changed = with_contract(app.project, replace(contract, fields=fields))
    said = f"{CONTRACT} without {FIELD} was not refused"
    try:
        require_compatible(changed, app.endpoint)
    except SchemaIncompatible as error:
        said = str(error)
        if FIELD in said and all(each in said for each in readers):
            return f"without {FIELD} it is refused: {', '.join(readers)} read it; v2 goes beside v1"
    raise DemoFailed(f"the demo does not hold: {said}")


def with_contract(project: Project, contract: Contract) -> Project:
    """The project with another version of one contract."""
    product = project.product(contract.product)
    contracts = tuple(contract if each.id == contract.id else each for each in product.contracts)
    products = {**project.products, product.id: replace(product, contracts=contracts)}
    return replace(project, products=products)
