"""`mesh keyring`: what an identifier led to at an instant, and who says so.

The key ring itself answers, at its own door.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, show_table
from mesh.cli.read import get_token, reader
from mesh.contract.questions import identifier_in, instant_in, require_role, type_called
from mesh.errors import MeshError, NotRunning, Refused, SettingsError, Unreachable, WrongUse

if TYPE_CHECKING:
    from mesh.contract.project import Project

__all__ = ["keyring"]

PRODUCT, PORT = "key-ring", "key-ring.links"
SHOWN = (
    "relation", "from", "to", "valid_from", "valid_to", "authority", "topic", "partition",
    "offset",
)  # fmt: skip


@click.group()
def keyring() -> None:
    r"""Ask the key ring which identifier belonged to which, and when.

    \b
    Example:
      mesh keyring resolve --from phone:+12025550123 --to contract
    """


@keyring.command()
@click.option("--from", "start", required=True, metavar="TYPE:VALUE", help="What is known.")
@click.option("--to", "end", required=True, metavar="TYPE", help="The type that is asked for.")
@click.option("--role", help="In which role: holder, user, payer, administrator, resident, …")
@click.option("--at", help="As of which instant, in ISO 8601 [now].")
@click.option("--known-at", help="By what was known at this instant [all that is known].")
@click.option("--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first granted].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def resolve(
    app: App,
    *,
    start: str,
    end: str,
    role: str | None,
    at: str | None,
    known_at: str | None,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Resolve an identifier into another, with the links that lead there and who states each.

    A person is always meant in a role, so `--to person` needs `--role`. There is no customer.

    \b
    Example:
      mesh keyring resolve --from phone:+12025550123 --to contract --at 2026-03-01
      mesh keyring resolve --from phone:+12025550123 --to person --role payer --json
    """
    words = {"from": start, "to": end, "role": role, "at": at, "known_at": known_at}
    asked = {name: text for name, text in words.items() if text is not None}
    who = principal or reader(app, app.project.contract(PORT))
    try:
        document = ask(app, asked, who)
    except (NotRunning, SettingsError, Unreachable):
        # What is no question is none, whether or not anybody is there to answer.
        check(app.project, asked)
        raise
    if as_json:
        show_json(document)
        return
    click.echo(sentence(document))
    if document["path"]:
        show_table(SHOWN, [[hop[name] for name in SHOWN] for hop in document["path"]])


def check(project: Project, asked: Mapping[str, str]) -> None:
    """Raise `WrongUse` for what is no question, as far as the files say."""
    relations = [each.relation for each in project.relations if each.relation is not None]
    start, _ = identifier_in(asked["from"], project.identifiers, relations)
    end = type_called(asked["to"], project.identifiers, relations)
    for name in {"at", "known_at"} & asked.keys():
        instant_in(asked[name])
    require_role(start, end, asked.get("role"), relations)


def ask(app: App, asked: Mapping[str, str], principal: str) -> Mapping[str, Any]:
    """Ask the key ring's door.

    Raises `WrongUse` where the question must say more, `Refused` for whoever is not granted.
    """
    from mesh.cli.doors import answered

    url = f"{app.address(PRODUCT)}/resolve"
    headers = {"Authorization": f"Bearer {get_token(app, principal, PRODUCT)}"}
    response = answered("GET", url, {"params": asked, "headers": headers})
    try:
        document: Mapping[str, Any] = response.json()
    except ValueError as error:
        raise MeshError(f"{url} did not answer with JSON") from error
    if response.is_success:
        return document
    detail = printable(str(document.get("detail", response.status_code)))
    kinds = {401: Refused, 403: Refused, 422: WrongUse}
    raise kinds.get(response.status_code, MeshError)(detail)


def sentence(document: Mapping[str, Any]) -> str:
    """The answer in words."""
    # Whoever states a relation chooses what stands in it.
    if document["state"] == "known":
        return printable(document["answer"])
    if document["state"] == "ambiguous":
        return f"ambiguous, any of: {printable(', '.join(document['candidates']))}"
    reached = document["reached"]
    return (
        f"not known: nothing leads on from {reached['type']} {printable(', '.join(reached['ids']))}"
        f" as of {document['at']}"
    )
