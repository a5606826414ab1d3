"""Where a product keeps rows for a shorter time than it needs them. Not here: dropping them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mesh.contract.faults import Fault

if TYPE_CHECKING:
    from mesh.product.plan import Plan

__all__ = ["keep_faults"]


def keep_faults(plan: Plan) -> Iterator[Fault]:
    """Where an input drops rows that are still needed."""
    read = {name: each for each in plan.states for name in each.query.inputs}
    for source in plan.inputs:
        problem = ""
        if source.member is not None:
            problem = f"keep is {source.keep}, and a family keeps all" * (source.keep != "all")
        elif source.contract.kind == "state" and source.keep not in ("all", "latest"):
            problem = f"it is a state input, which keeps one row a key, not {source.keep}"
        elif source.contract.kind == "event" and source.keep != "all" and source.name in read:
            port = read[source.name].contract.id
            problem = f"keep is {source.keep}, and the state port {port} is made of all of it"
        if problem:
            path, text = plan.product.folder / "product.yaml", f"input {source.name}: {problem}"
            yield Fault(path=path, line=0, problem=text, remedy="write keep: all", rule="keep")
    several = {each.contract.id: each.contract for each in plan.events if each.number}
    for contract in several.values():
        if contract.retention_ms is not None:
            # Of the ages of rows, its table knows those on one topic only.
            text = f"{contract.id} maps several inputs, and does not keep its rows for ever"
            remedy = "write `retention: forever`"
            yield Fault(path=contract.path, line=0, problem=text, remedy=remedy, rule="keep")
