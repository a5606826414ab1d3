"""`mesh migrate`: the way out of the legacy warehouse, report by report.

Each command is in a file of its own, `migrate_…`. Not here: the warehouse as it is (`legacy`).
"""

from __future__ import annotations

import click

from mesh.cli.migrate_compare import compare
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
    """


migrate.add_command(plan)
migrate.add_command(compare)
migrate.add_command(rules)
