"""`mesh migrate burndown`: what of the warehouse is still needed, decision by decision."""

from __future__ import annotations

from pathlib import Path

import click

from mesh.cli.app import App
from mesh.cli.legacy import JSON
from mesh.cli.output import put_text, show_json, show_table

__all__ = ["burndown"]


@click.command()
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into FILE.")
@JSON
@click.pass_obj
def burndown(app: App, *, svg: Path | None, as_json: bool) -> None:
    r"""Show how many jobs, tables and lines of SQL of the warehouse are still needed, over time.

    What only reports that were cut over are made of is needed no longer; a roll-back needs it
    again.

    \b
    Example:
      mesh migrate burndown --svg burndown.svg
    """
    from mesh.cli.migrate_facts import Migration
    from mesh.migrate.burndown import burn_down
    from mesh.migrate.burndown_chart import chart_of

    migration = Migration(app, 0)
    found = burn_down(migration.jobs, migration.decisions())
    if svg is not None:
        put_text(svg, chart_of(found))
    rows = [
        {
            "at": each.at.isoformat(timespec="seconds") if each.at else None,
            "decided": f"{each.decision.report} {each.decision.decision}" if each.decision else "",
            "jobs": each.jobs,
            "tables": each.tables,
            "lines": each.lines,
            "reports": len(each.reports),
        }
        for each in found
    ]
    if as_json:
        show_json({"steps": rows})
        return
    show_table(tuple(rows[0]), [tuple(each.values()) for each in rows])
