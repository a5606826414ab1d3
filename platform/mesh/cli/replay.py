"""`mesh replay`: make a product's storage anew from the topics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.lifecycle import start, stop
from mesh.cli.output import show_json, show_table, steps
from mesh.control.running import find_running

if TYPE_CHECKING:
    from mesh.wiring.replay import Replay

__all__ = ["replay"]


@click.command()
@click.argument("product")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; asks nothing, so needs --yes.")
@click.pass_obj
def replay(app: App, product: str, *, yes: bool, as_json: bool) -> None:
    r"""Make the storage of PRODUCT anew from the topics.

    The product stands still meanwhile. What it has published stays, and nothing is published
    twice; state ports are compared with what they have said. Where inputs are gone that state
    ports are made of, it is refused before anything is touched. A mesh that is stopped is
    started for it and stopped again.

    \b
    Example:
      mesh replay call-center --yes
    """
    from mesh.wiring.replay import prepare_replay

    if as_json and not yes:
        raise click.UsageError("--json asks nothing: add --yes")
    with running(app):
        found = prepare_replay(app.settings, app.home, app.project, product)
        if not yes:
            ask(product, found)
        with steps() as progress:
            done = found.run(progress.say)
    if as_json:
        show_json(
            {
                "product": product,
                "seconds": round(done.seconds, 1),
                "rows": done.rows,
                "gaps": list(found.gaps),
            }
        )
        return
    click.echo(f"{product} is replayed, in {done.seconds:.1f} s")
    show_table(("port", "rows"), list(done.rows.items()))
    for gap in found.gaps if yes else ():
        click.echo(f"not brought back: {gap}")


def ask(product: str, found: Replay) -> None:
    """Say what will be, and go on only at a yes."""
    click.echo(f"{product} stops, its storage is made anew from the topics, and it goes on.")
    for gap in found.gaps:
        click.echo(f"not brought back: {gap}")
    click.confirm("Replay it?", abort=True)


@contextmanager
def running(app: App) -> Iterator[None]:
    """A backbone for the time of a block: the one there is, or the mesh, started for it."""
    if app.settings.is_external or find_running(app.found_home) is not None:
        yield
        return
    # Standard output is for what was asked for.
    with redirect_stdout(sys.stderr):
        start(app)
    try:
        yield
    finally:
        with redirect_stdout(sys.stderr):
            stop(app)
