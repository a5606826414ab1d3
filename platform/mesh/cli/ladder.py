"""`mesh ladder`: on which rung data products stand, by what was seen of them, and what is next."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, show_table
from mesh.contract.catalogue import SERVICE
from mesh.control.registering import ask_catalogue

__all__ = ["ladder"]


@click.command()
@click.argument("product", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def ladder(app: App, product: str | None, *, as_json: bool) -> None:
    r"""Say on which rung every product stands, or PRODUCT with its evidence.

    The rungs are dump, refreshed, contracted, live, certified. The catalogue computes them from
    what it sees of the products that run, and takes them away when the evidence goes stale.

    \b
    Example:
      mesh ladder
      mesh ladder call-center
    """
    address = app.address(SERVICE)
    if product is None:
        document = ask_catalogue("GET", f"{address}/ladder")
    else:
        document = ask_catalogue("GET", f"{address}/ladder/{quote(product, safe='')}")
    if as_json:
        show_json(document)
    elif product is None:
        names = ("id", "rung", "state", "next_step")
        rows = [[text_of(each[name]) for name in names] for each in document["products"]]
        show_table(("product", "rung", "state", "next"), rows)
    else:
        tell(document)


def text_of(value: object) -> str:
    """A value in a table."""
    return "" if value is None else printable(str(value))


def tell(document: Any) -> None:
    """One product, for a person: what is proved, and what is not."""
    standing = document["standing"]
    if standing is None:
        click.echo(f"{document['id']}: the catalogue has not looked at it yet")
        return
    rows = [
        (rung["name"], "yes" if each["is_met"] else "no", each["what"], printable(each["seen"]))
        for rung in standing["rungs"]
        for each in rung["evidence"]
    ]
    show_table(("rung", "met", "proof", "seen"), rows)
    click.echo(f"{document['id']} stands on {standing['rung']}: {standing['meaning']}")
    click.echo(f"next: {printable(standing['next_step'])}")
