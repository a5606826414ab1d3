"""`mesh run-batch`: one run of a batch product."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, show_table, steps
from mesh.cli.read import parsed
from mesh.errors import WrongUse

__all__ = ["run_batch"]


@click.command("run-batch")
@click.argument("product")
@click.option("--as-of", "day", required=True, metavar="DATE",
              help="The last day that the run knows of, in UTC, as 2026-01-31.")  # fmt: skip
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE",
              help="What else the product's run knows, as recipe=naive.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def run_batch(app: App, product: str, *, day: str, options: tuple[str, ...], as_json: bool) -> None:
    r"""Run the batch PRODUCT once, as of the end of a day.

    What a run does is the function `run` in the product's `batch.py`. A run that ended, however,
    is repeated without harm: what was done is found done. It needs a running mesh, to which it
    announces what it has published. Exits with 1 where the product stopped its run.

    \b
    Example:
      mesh run-batch network-usage --as-of 2026-01-02
      mesh run-batch payment-risk --as-of 2026-04-30
    """
    from mesh.cli.batch_inputs import reading
    from mesh.product.batch import Asked
    from mesh.product.failpoints import arm
    from mesh.wiring.runs import run_once

    if app.settings.failpoint is not None:
        arm(app.settings.failpoint)
    as_of = known_day(day)
    with steps() as progress:
        asked = Asked(
            as_of=as_of,
            say=progress.say,
            options=dict(parsed(each) for each in options),
            read=reading(app, product),
        )
        found = run_once(app.settings, app.home, app.project, product, asked)
    if as_json:
        show_json({"product": product, "as_of": str(as_of), **found})
    else:
        tell(product, found)
    sys.exit(1 if found.get("is_stopped") else 0)


def known_day(text: str) -> date:
    """A day that has begun. Raises `WrongUse`."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise WrongUse(f"{text!r} is no day: write it as 2026-01-31") from error
    if day > datetime.now(UTC).date():
        raise WrongUse(f"{day} has not come yet, and a run would drop what is too old by then")
    return day


def tell(product: str, found: Mapping[str, Any]) -> None:
    """What came of a run, for a person."""
    if said := found.get("said"):
        click.echo("\n".join(map(printable, said)))
        return
    if days := found.get("published"):
        rows = [
            (
                each["day"],
                each["generation"],
                f"{each['rows']:,}",
                sum(each["quarantined"].values()),
                ", ".join(each["deliveries"]),
            )
            for each in days
        ]
        show_table(("day", "generation", "rows", "quarantined", "deliveries"), rows)
    for name in found.get("repeated", ()):
        click.echo(f"delivered before: {printable(name)}")
    for name, why in found.get("left", {}).items():
        click.echo(f"left where it landed: {printable(name)}: {printable(why)}")
    for day in found.get("dropped", ()):
        click.echo(f"kept no longer: {day}")
    click.echo(f"{product}: {len(found.get('published', ()))} days published")
