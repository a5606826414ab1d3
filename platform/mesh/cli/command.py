"""`mesh command`: has a product do something; its door says what it accepted, or why not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.doors import answer
from mesh.cli.output import printable, show_json, show_table
from mesh.cli.read import get_token, parsed, reader
from mesh.contract.model import Contract
from mesh.errors import MeshError, WrongUse

__all__ = ["command"]

WAIT_S = 30.0
LOOK_S = 0.05


@click.command()
@click.argument("product")
@click.argument("name", required=False)
@click.argument("values", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--key", help="By which the same command, sent again, is known [a random one].")
@click.option("--as", "principal", help="Who commands [MESH_PRINCIPAL, else the first granted].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(
    app: App,
    product: str,
    *,
    name: str | None,
    values: tuple[str, ...],
    key: str | None,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Send the command NAME to PRODUCT; without a name, list what it takes.

    Returns once the product has taken in what it accepted, so that its own doors show it.

    \b
    Example:
      mesh command contracts
      mesh command contracts port-number phone_number=+12025550123 \
        from_contract=C-900000018 contract_number=C-900000026
    """
    contract = contract_of_commands(app, product)
    address = app.address(contract.product)
    if name is None:
        show_commands(answer("GET", f"{address}/commands"), as_json)
        return
    pairs = [parsed(each) for each in values]
    if twice := {field for field, _ in pairs if [f for f, _ in pairs].count(field) > 1}:
        raise WrongUse(f"{', '.join(sorted(twice))} stands here twice")
    headers = {
        "Authorization": f"Bearer {get_token(app, principal or reader(app, contract), product)}",
        "Idempotency-Key": key_of(key),
    }
    document = answer("POST", f"{address}/commands/{name}", headers=headers, json=dict(pairs))
    wait_until_taken_in(address, document)
    if as_json:
        show_json(document)
        return
    known = ", as before" if document["is_repeated"] else ""
    click.echo(f"accepted{known}: {printable(str(document['command_id']))}")


def key_of(text: str | None) -> str:
    """The key of a command, made where none is given. Raises `WrongUse` for what no header has."""
    if text is not None and not (text.isascii() and text.isprintable()):
        raise WrongUse(f"{text!r} is no key: write letters and digits, as a UUID has them")
    return text or str(uuid.uuid4())


def contract_of_commands(app: App, name: str) -> Contract:
    """The contract of the port on which a product's commands stand. Raises `WrongUse` for none."""
    found = app.project.product(name).commands
    if found is None:
        taking = [each for each, one in app.project.products.items() if one.commands]
        raise WrongUse(f"{name} takes no commands, but {', '.join(taking) or 'nobody else'} does")
    return app.project.input_contract(found[0])


def show_commands(document: Mapping[str, Any], as_json: bool) -> None:
    """Print what there is to command."""
    if as_json:
        show_json(document)
        return
    rows = [
        [each["name"], " ".join(field["name"] for field in each["fields"]), each["description"]]
        for each in document["commands"]
    ]
    show_table(["command", "fields", "what"], rows)


def wait_until_taken_in(address: str, document: Mapping[str, Any]) -> None:
    """Return once the product's rows follow from what was accepted.

    Raises `MeshError` where that takes too long; it is accepted all the same.
    """
    from mesh.ports.at_least import has_reached

    deadline = time.monotonic() + WAIT_S
    while True:
        offsets: Any = answer("GET", f"{address}/observability")["offsets"]
        if has_reached(offsets, document["offsets"]):
            return
        if time.monotonic() > deadline:
            raise MeshError(
                f"{document['command_id']} is accepted, and the product has not taken it in yet: "
                "is it paused? see `mesh status`"
            )
        time.sleep(LOOK_S)
