"""`mesh migrate`: the way out of the legacy warehouse, report by report.

Each command is in a file of its own, `migrate_…`. Not here: the warehouse as it is (`legacy`).
"""

from __future__ import annotations

import click

from mesh.cli.migrate_burndown import burndown
from mesh.cli.migrate_compare import compare
from mesh.cli.migrate_gate import agree, cutover, publish, rollback, status
from mesh.cli.migrate_plan import plan
from mesh.cli.migrate_rules import rules

__all__ = ["migrate"]


@click.group()
def migrate() -> None:
    r"""Take the reports of the legacy warehouse over into the mesh, one by one.

    \b
    Example:
      mesh migrate plan calls_per_contract
      mesh migrate compare calls_per_contract
      mesh migrate cutover calls_per_contract --as barbara
    """


for each in (plan, compare, rules, publish, agree, status, cutover, rollback, burndown):
    migrate.add_command(each)
