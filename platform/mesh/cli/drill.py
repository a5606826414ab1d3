"""`mesh drill`: try a safeguard of the running mesh."""

from __future__ import annotations

import sys

import click

from mesh.cli.app import App
from mesh.cli.output import show_json

__all__ = ["drill"]


@click.command()
@click.argument("name", type=click.Choice(["foreign-write"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def drill(app: App, name: str, *, as_json: bool) -> None:
    r"""Try a safeguard by breaking its rule on purpose.

    foreign-write: every principal writes to every topic that is not its own; the broker must
    refuse each time.

    \b
    Example:
      mesh drill foreign-write
    """
    from mesh.control.drills import DRILLS

    result = DRILLS[name](app.project, app.home, app.endpoint)
    if as_json:
        show_json(result)
    else:
        verdict = "held" if result["ok"] else "DID NOT HOLD"
        click.echo(f"{name}: the safeguard {verdict} in {result['cases']} cases")
        missed = result["missed"]
        for each in missed if isinstance(missed, list) else []:
            click.echo(f"  missed: {each}")
    sys.exit(0 if result["ok"] else 1)
