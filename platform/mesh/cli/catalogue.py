"""`mesh catalogue`: which products there are, one of them whole, and what attempts met."""

from __future__ import annotations

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table
from mesh.cli.register import show_verdict
from mesh.contract.catalogue import SERVICE
from mesh.control.registering import ask_catalogue

__all__ = ["catalogue"]

COLUMNS = ("id", "domain", "version", "owner", "accepted_at")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def catalogue() -> None:
    r"""See what the catalogue has.

    \b
    Example:
      mesh catalogue list
    """


@catalogue.command(name="list")
@_JSON
@click.pass_obj
def list_(app: App, *, as_json: bool) -> None:
    r"""List every accepted product.

    \b
    Example:
      mesh catalogue list
    """
    document = ask_catalogue("GET", f"{app.address(SERVICE)}/products")
    if as_json:
        show_json(document)
        return
    found = sorted(document["products"], key=lambda each: str(each["id"]))
    show_table(COLUMNS, [[each[name] for name in COLUMNS] for each in found])


@catalogue.command()
@click.argument("product")
@_JSON
@click.pass_obj
def show(app: App, product: str, *, as_json: bool) -> None:
    r"""Show what was accepted of PRODUCT; the whole descriptor with --json.

    \b
    Example:
      mesh catalogue show billing --json
    """
    document = ask_catalogue("GET", f"{app.address(SERVICE)}/products/{product}")
    if as_json:
        show_json(document)
        return
    show_table(("name", "value"), [(name, document[name]) for name in (*COLUMNS, "digest")])
    contracts = document["descriptor"]["contracts"]
    rows = [(each.get("id"), each.get("version"), each.get("status")) for each in contracts]
    show_table(("contract", "version", "status"), rows)


@catalogue.command()
@click.argument("product")
@_JSON
@click.pass_obj
def verdict(app: App, product: str, *, as_json: bool) -> None:
    r"""Say what the last attempt to register PRODUCT met, whichever way it came.

    \b
    Example:
      mesh catalogue verdict billing
    """
    document = ask_catalogue("GET", f"{app.address(SERVICE)}/verdicts/{product}")
    if as_json:
        show_json(document)
    else:
        show_verdict(document, None)
