"""`mesh migrate plan`: what becomes of each step of the legacy warehouse, read from its SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import put_text, show_json, show_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesh.migrate.fates import PlannedStep
    from mesh.migrate.plan import Plan, PlannedReport

__all__ = ["plan"]


@click.command()
@click.argument("report", required=False)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw it in FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def plan(app: App, report: str | None, *, svg: Path | None, as_json: bool) -> None:
    r"""Show of REPORT, or of every one, which steps are kept, moved or cut, and by what.

    Kept is what one product has: in a port's SQL, or as what it takes in. Cut is what only puts
    an identifier in place of another; a relation of the key ring is asked instead. All else moves
    into the report's query. All of it is read from the SQL of jobs and products; nothing need run.

    \b
    Example:
      mesh migrate plan
      mesh migrate plan calls_per_contract --svg plan.svg
      mesh migrate plan churn_signals --json
    """
    found = made_plan(app)
    chosen = [found.report(report)] if report else list(found.reports)
    if svg is not None:
        draw(svg, found, report)
    if as_json:
        show_json(document(found, chosen))
        return
    columns = ("step", "job", "fills", "domains", "fate", "where", "why")
    for number, each in enumerate(chosen):
        click.echo(("\n" if number else "") + heading(each))
        show_table(columns, [row(place, step, each) for place, step in enumerate(each.steps, 1)])


def made_plan(app: App) -> Plan:
    """The plan of the installed company's warehouse in this project."""
    from mesh.migrate.flow import load_tables
    from mesh.migrate.jobs import load_jobs
    from mesh.migrate.plan import make_plan
    from mesh.migrate.warehouse import find_warehouse

    folder = find_warehouse().folder
    return make_plan(load_jobs(folder), load_tables(folder / "tables.sql"), app.project)


def draw(path: Path, plan: Plan, report: str | None) -> None:
    """Write the picture of a report, or of the whole plan."""
    from mesh.migrate.picture import picture_of

    steps = plan.report(report).steps if report else plan.steps
    title = f"What becomes of {report or 'the warehouse'}"
    put_text(path, picture_of(steps, title))


def heading(report: PlannedReport) -> str:
    """A report in a line: how many steps have which fate, and which query takes its place."""
    fates = [each.fate for each in report.steps]
    counts = ", ".join(f"{fates.count(each)} {each}" for each in dict.fromkeys(fates))
    there = "" if report.has_query else ", which is to be written"
    return f"{report.name}: {counts}; its query is {report.query}{there}"


def row(place: int, step: PlannedStep, report: PlannedReport) -> Sequence[object]:
    """A step as a row."""
    return (
        place,
        step.job,
        step.table,
        ", ".join(step.domains),
        step.fate,
        "\n".join(where(step, report)),
        step.why,
    )


def where(step: PlannedStep, report: PlannedReport) -> Sequence[str]:
    """Where a step is found from now on."""
    if step.fate == "moved":
        return (report.query,)
    if step.fate == "cut":
        return step.relations or ("no relation has it",)
    return step.files or step.ports


def document(plan: Plan, reports: Sequence[PlannedReport]) -> dict[str, object]:
    """The plan as JSON."""
    from mesh.migrate.fates import RULES

    return {
        "rules": [{"fate": fate, "says": says} for fate, says in RULES],
        "landing": [
            {
                "table": table,
                "contract": contract.id if contract else None,
                "product": contract.product if contract else None,
                "domain": contract.domain if contract else None,
            }
            for table, contract in plan.landing
        ],
        "reports": [
            {
                "report": each.name,
                "query": each.query,
                "has_query": each.has_query,
                "steps": [described(step) for step in each.steps],
            }
            for each in reports
        ],
    }


def described(step: PlannedStep) -> dict[str, object]:
    """A step as JSON."""
    return {
        "job": step.job,
        "table": step.table,
        "reads": list(step.statement.step.reads),
        "domains": list(step.domains),
        "fate": step.fate,
        "why": step.why,
        "ports": list(step.ports),
        "files": list(step.files),
        "relations": list(step.relations),
    }
