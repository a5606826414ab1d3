"""`mesh migrate`: the way out of the legacy warehouse, report by report.

Each command is in a file of its own, `migrate_…`. Not here: the warehouse as it is (`legacy`).
"""

from __future__ import annotations

import click

from mesh.cli.migrate_plan import plan

__all__ = ["migrate"]


@click.group()
def migrate() -> None:
    r"""Take the reports of the legacy warehouse over into the mesh, one by one.

    \b
    Example:
      mesh migrate plan calls_per_contract
    """


migrate.add_command(plan)
