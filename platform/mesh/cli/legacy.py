"""`mesh legacy`: the central warehouse as it was before the mesh, its nights and reports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table, steps
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mesh.migrate.jobs import Job
    from mesh.migrate.nights import Nights, Ran

__all__ = ["legacy"]

DAY = click.DateTime(["%Y-%m-%d"])
SEED = click.option("--seed", default=7, show_default=True, help="Which simulated world.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def legacy() -> None:
    r"""Run and read the legacy warehouse that the mesh takes over from.

    \b
    Example:
      mesh legacy run --nights 7
      mesh legacy jobs
      mesh legacy lineage calls_per_contract
      mesh legacy read porting --day 2026-01-03
    """


@legacy.command()
@click.option("--nights", type=click.IntRange(1, 3650), help="How many more nights [1].")
@click.option("--again", type=DAY, help="Run a past night again instead.")
@SEED
@JSON
@click.pass_obj
def run(app: App, *, nights: int | None, again: datetime | None, seed: int, as_json: bool) -> None:
    r"""Run the next nights, all jobs of each in their order, or a past one again.

    A night that failed or was interrupted goes on with the job that did not run.

    \b
    Example:
      mesh legacy run --nights 7
      mesh legacy run --again 2026-01-05
    """
    if nights is not None and again is not None:
        raise WrongUse("say --nights or --again: a past night runs by itself")
    found: list[Ran] = []
    with opened(app, seed) as warehouse, steps() as progress:
        for night in due(warehouse, nights or 1, again):
            progress.say(f"the night of {night}")
            found += warehouse.run(night, again=again is not None)
    if as_json:
        show_json({"jobs": [record(each) for each in found]})
        return
    by_night: dict[date, list[Ran]] = {}
    for each in found:
        by_night.setdefault(each.night, []).append(each)
    rows = [
        (night, len(jobs), f"{sum(each.rows for each in jobs):,}")
        for night, jobs in by_night.items()
    ]
    show_table(("night", "jobs", "rows written"), rows)


@legacy.command()
@JSON
@click.pass_obj
def jobs(app: App, *, as_json: bool) -> None:
    r"""List the nightly jobs in their order, with what each reads and writes.

    \b
    Example:
      mesh legacy jobs
    """
    found = known_jobs()
    if as_json:
        show_json({"jobs": [described(each) for each in found]})
        return
    rows = [
        (number, each.name, each.layer, each.lines, each.about)
        for number, each in enumerate(found, 1)
    ]
    show_table(("", "job", "layer", "lines", "what"), rows)


@legacy.command()
@click.argument("report", required=False)
@JSON
@click.pass_obj
def lineage(app: App, report: str | None, *, as_json: bool) -> None:
    r"""Show of which jobs and tables REPORT is made, or every job, read from their SQL.

    \b
    Example:
      mesh legacy lineage calls_per_contract
    """
    from mesh.migrate.jobs import upstream

    found = known_jobs()
    chosen: Sequence[Job] = found if report is None else upstream(found, report)
    if as_json:
        show_json({"report": report, "jobs": [described(each) for each in chosen]})
        return
    rows = [(each.name, "\n".join(each.reads), "\n".join(each.writes)) for each in chosen]
    show_table(("job", "reads", "writes"), rows)


@legacy.command()
@click.argument("report")
@click.option("--day", type=DAY, help="Of one day [the last one].")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1_000_000))
@SEED
@JSON
@click.pass_obj
def read(
    app: App, report: str, *, day: datetime | None, limit: int, seed: int, as_json: bool
) -> None:
    r"""Show the rows of REPORT for a day.

    \b
    Example:
      mesh legacy read handling_time --day 2026-01-05
    """
    from mesh.migrate.jobs import upstream

    upstream(known_jobs(), report)
    with opened(app, seed) as warehouse:
        shown = day.date() if day else warehouse.next_night() - timedelta(days=1)
        columns, rows = warehouse.report(report, shown, limit)
    if as_json:
        show_json({"report": report, "day": shown, "columns": columns, "rows": rows})
        return
    show_table(columns, rows)


def opened(app: App, seed: int) -> Nights:
    """The warehouse of this state folder."""
    from mesh.migrate.nights import Nights
    from mesh.migrate.warehouse import find_warehouse

    return Nights(file_of(app), find_warehouse(), known_jobs(), seed)


def file_of(app: App) -> Path:
    """Where the warehouse is kept."""
    return app.home.folder("legacy") / "warehouse.duckdb"


def known_jobs() -> tuple[Job, ...]:
    """The jobs of the installed company's warehouse."""
    from mesh.migrate.jobs import load_jobs
    from mesh.migrate.warehouse import find_warehouse

    return load_jobs(find_warehouse().folder)


def due(warehouse: Nights, count: int, again: datetime | None) -> Iterator[date]:
    """The nights that are to run, each told once the one before has run."""
    if again is not None:
        yield again.date()
        return
    for _ in range(count):
        yield warehouse.next_night()


def record(ran: Ran) -> dict[str, object]:
    """A job that ran, as JSON."""
    return {
        "night": str(ran.night),
        "job": ran.job,
        "rows": ran.rows,
        "seconds": round(ran.seconds, 3),
    }


def described(job: Job) -> dict[str, object]:
    """A job as JSON."""
    return {
        "name": job.name,
        "about": job.about,
        "layer": job.layer,
        "lines": job.lines,
        "reads": list(job.reads),
        "writes": list(job.writes),
    }
