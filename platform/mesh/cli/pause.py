"""`mesh pause` and `mesh resume`: a product rests between two batches, and goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.doors import answer
from mesh.cli.output import show_json, steps
from mesh.cli.read import get_token
from mesh.errors import MeshError

__all__ = ["change", "pause", "resume"]

WAIT_S = 60.0
SILENT_S = 2.0
AS = click.option(
    "--as", "principal", help="Who does it [MESH_PRINCIPAL, else an owner, else the product]."
)


@click.command()
@click.argument("product")
@click.option("--reason", default="", help="Why; others see it.")
@AS
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def pause(app: App, product: str, *, reason: str, principal: str | None, as_json: bool) -> None:
    r"""Let PRODUCT take in and publish nothing until it is resumed.

    Takes effect between two batches, and outlasts a restart. Its rows can be read meanwhile,
    and what waits is counted.

    \b
    Example:
      mesh pause call-center --reason "the telephony system sends nonsense"
    """
    document = change(app, product, "pause", principal, reason=reason)
    if as_json:
        show_json(document)
        return
    paused: Any = document["paused"]
    why = f": {paused['reason']}" if paused["reason"] else ""
    click.echo(f"{product} is paused, by {paused['by']} at {paused['at']}{why}")


@click.command()
@click.argument("product")
@AS
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def resume(app: App, product: str, *, principal: str | None, as_json: bool) -> None:
    r"""Let PRODUCT go on where it was paused.

    \b
    Example:
      mesh resume call-center
    """
    document = change(app, product, "resume", principal)
    if as_json:
        show_json(document)
        return
    ended: Any = document["ended"]
    click.echo(
        f"{product} goes on; it was paused by {ended['by']} at {ended['at']}"
        if ended
        else f"{product} was not paused"
    )


def change(
    app: App, product: str, verb: str, principal: str | None, *, reason: str = ""
) -> Mapping[str, object]:
    """Pause or resume, and wait until it is so; what the control port says.

    Raises `Refused` where the principal does not own the product, `MeshError` where the
    product does not come to it in time.
    """
    name = app.project.product(product).id
    principal = principal or somebody(app, name)
    url = f"{app.address(name)}/control"
    headers = {"Authorization": f"Bearer {get_token(app, principal, name)}"}
    body = {"reason": reason} if reason else None
    document = answer("POST", f"{url}/{verb}", headers=headers, json=body)
    deadline = time.monotonic() + WAIT_S
    with steps() as shown:
        while not is_done(verb, said := answer("GET", url)):
            if time.monotonic() > deadline:
                raise MeshError(
                    f"{name} is {said['state']} still ({said['reason'] or 'no reason given'}); it "
                    "does as told once it has ended that: see `mesh status`"
                )
            if time.monotonic() > deadline - WAIT_S + SILENT_S:
                shown.say(f"{name} is {said['state']} still")
            time.sleep(0.1)
    return {**document, "state": said["state"], "reason": said["reason"]}


def is_done(verb: str, control: Mapping[str, object]) -> bool:
    """Whether the runtime does what it was told, or was told otherwise meanwhile."""
    is_paused = control["state"] == "paused"
    wants_pause = control["paused"] is not None
    return wants_pause != (verb == "pause") or is_paused == wants_pause


def somebody(app: App, product: str) -> str:
    """Who pauses where nobody is named: the settings' principal, an owner, the product itself."""
    if app.settings.principal is not None:
        return app.settings.principal
    return next(iter(app.project.owners_of(product)), product)
