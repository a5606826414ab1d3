"""`mesh register`, `mesh unregister`: products into the catalogue, and out of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, steps
from mesh.cli.read import get_token
from mesh.contract.catalogue import SERVICE

__all__ = ["register", "unregister"]


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--as", "principal", help="Who registers [the product itself].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def register(app: App, path: Path, *, principal: str | None, as_json: bool) -> None:
    r"""Register the product at PATH, or every product of a whole checkout.

    The catalogue judges what comes, by the same policies whichever way it came. Exits with 1
    where it refuses any.

    \b
    Example:
      mesh register products/billing
      mesh register .
    """
    from mesh.contract.descriptor import descriptor_in
    from mesh.control.registering import product_folders, put_descriptor

    address = app.address(SERVICE)
    verdicts = []
    with steps() as progress:
        for folder in product_folders(path):
            descriptor = descriptor_in(folder)
            progress.say(f"registering {descriptor.id}")
            token = get_token(app, principal or descriptor.id, SERVICE)
            verdicts.append((folder, put_descriptor(address, token, descriptor)))
    is_ok = all(verdict["state"] == "accepted" for _, verdict in verdicts)
    if as_json:
        show_json({"ok": is_ok, "products": [verdict for _, verdict in verdicts]})
    else:
        for folder, verdict in verdicts:
            show_verdict(verdict, folder)
    sys.exit(0 if is_ok else 1)


@click.command()
@click.argument("product")
@click.option("--as", "principal", help="Who withdraws it [the product itself].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def unregister(app: App, product: str, *, principal: str | None, as_json: bool) -> None:
    r"""Withdraw PRODUCT from the catalogue, unless others read it.

    Its topics and rows stay.

    \b
    Example:
      mesh unregister weather
    """
    from mesh.control.registering import ask_catalogue

    token = get_token(app, principal or product, SERVICE)
    verdict = ask_catalogue("DELETE", f"{app.address(SERVICE)}/products/{product}", token)
    if as_json:
        show_json(verdict)
    else:
        show_verdict(verdict, None)
    sys.exit(0 if verdict["state"] == "withdrawn" else 1)


def show_verdict(verdict: Mapping[str, Any], folder: Path | None) -> None:
    """A verdict in lines: what refused it, what to do, and what is worth knowing."""
    click.echo(f"{verdict['id']} is {verdict['state']}")
    for level in ("findings", "warnings"):
        for each in verdict[level]:
            place = f"{folder}/{each['place']}" if folder else each["place"]
            mark = "warning: " if level == "warnings" else ""
            line = f"{mark}{place}: {each['problem']} ({each['remedy']}) [{each['rule']}]"
            click.echo(f"  {printable(line)}")
