"""Reads of a batch port's contract whether it is published by day, and by which field (ODCS).

Not here: how that is done (`mesh.product.days`).
"""

from __future__ import annotations

from collections.abc import Iterable

from mesh.contract.model import Field
from mesh.contract.yamlfile import Node, Report

__all__ = ["check_day", "day_nodes"]


def day_nodes(root: Node) -> list[Node]:
    """The fields that say in which day's file a row stands."""
    objects = root["schema"].items
    fields = objects[0]["properties"].items if objects else ()
    return [each for each in fields if each["partitioned"].value is True]


def check_day(root: Node, fields: Iterable[Field], report: Report) -> None:
    """Find a batch port that is partitioned by anything else than one day."""
    nodes = day_nodes(root)
    known = {each.name: each for each in fields}
    for node in nodes:
        field = known.get(node["name"].text)
        is_day = field is not None and field.type.kind == "date" and field.is_required
        if len(nodes) > 1 or not is_day:
            problem = "a batch port is published by one day"
            remedy = "partition it by one field, a `date` that is `required`"
            report.fault(node["partitioned"], problem, remedy, rule="contract")
