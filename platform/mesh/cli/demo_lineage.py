"""A step of `mesh demo`: what the products were seen to read is what they say they read.

The products are asked at their doors for the OpenLineage events of their runs.
"""

from __future__ import annotations

from mesh.cli.app import App
from mesh.cli.demo_checks import check
from mesh.cli.observed import look
from mesh.contract.lineage import declared_edges

__all__ = ["compare_lineage"]

# Whose inputs the steps before have fed.
FED = ("call-center", "contracts", "key-ring")


def compare_lineage(app: App) -> str:
    """Ask every product what it read, and compare."""
    seen = look(app, declared_edges(app.project))
    undeclared = [each.text for each in seen.undeclared]
    check(not undeclared, f"somebody reads what it does not declare: {undeclared}")
    both = [each for each in seen.edges if each.kind == "both"]
    for product in FED:
        check(any(each.target == product for each in both), f"{product} was not seen to read")
    sources = {each.source for each in both if each.target == "call-center"}
    check(sources == {"call-center.finished-calls"}, f"call-center reads {sources}")
    return (
        f"of {len(seen.edges)} declared reads {len(both)} were observed, "
        "by messages that were taken in; none was observed and not declared"
    )
