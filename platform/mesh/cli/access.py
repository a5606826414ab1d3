"""`mesh access`: ask for a port with a purpose, grant it as its owner, revoke it, see who may."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.doors import answer
from mesh.cli.output import show_json, show_table
from mesh.cli.read import find_port, get_token, somebody
from mesh.contract.access import ACCESS_SERVICE
from mesh.errors import WrongUse

__all__ = ["access", "act"]

COLUMNS = ("port", "principal", "state", "until", "by", "purpose", "reason")
UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
REASON = click.option("--reason", default="", help="Why, for whoever looks later.")
OWNER = click.option(
    "--as", "owner", help="Who decides [MESH_PRINCIPAL, else the first owner of the product]."
)


class Term(click.ParamType[int]):
    """A length of time: a number and its unit."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The seconds of 30d, 12h and the like."""
        found = re.fullmatch(r"([1-9][0-9]{0,8})(s|min|h|d|w)", str(value))
        if found is None:
            self.fail("write a number and s, min, h, d or w, as 30d", param, ctx)
        return int(found[1]) * UNITS_S[found[2]]


@click.group()
def access() -> None:
    r"""Ask for a port, and decide who may read it.

    A port is readable for whom its owner grants it, at every door and at Kafka. Revoked, or over,
    it is so no longer within five seconds.

    \b
    Example:
      mesh access request calls --as mallory --purpose "Find out who calls at night."
      mesh access grant calls --to mallory --for 30d
      mesh access revoke calls --from mallory --reason "The study is over."
      mesh access list
    """


@access.command()
@click.argument("port")
@click.option("--purpose", required=True, help="What the rows are read for.")
@click.option("--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first person].")
@JSON
@click.pass_obj
def request(app: App, port: str, *, purpose: str, principal: str | None, as_json: bool) -> None:
    r"""Ask for PORT; its owner decides, or nobody where its contract says `access: auto`.

    \b
    Example:
      mesh access request calls --as mallory --purpose "Find out who calls at night."
    """
    body = {"port": id_of(app, port), "purpose": purpose}
    show(act(app, "request", principal or somebody(app), body), as_json=as_json)


@access.command()
@click.argument("port")
@click.option("--to", "principal", required=True, help="Who may read: a person or a product.")
@click.option("--for", "for_s", type=Term(), help="For so long: 12h, 30d, … [until revoked]")
@click.option("--purpose", default="", help="What for, where nobody has asked.")
@REASON
@OWNER
@JSON
@click.pass_obj
def grant(
    app: App,
    port: str,
    *,
    principal: str,
    for_s: int | None,
    purpose: str,
    reason: str,
    owner: str | None,
    as_json: bool,
) -> None:
    r"""Let a principal read PORT, as the owner of its product.

    \b
    Example:
      mesh access grant calls --to mallory --for 30d --as grace
    """
    id_ = id_of(app, port)
    body = {"port": id_, "principal": principal, "purpose": purpose, "reason": reason}
    who = owner or owner_of(app, id_)
    show(act(app, "grant", who, {**body, "for_s": for_s}), as_json=as_json)


@access.command()
@click.argument("port")
@click.option("--from", "principal", required=True, help="Who may read no longer.")
@REASON
@OWNER
@JSON
@click.pass_obj
def revoke(
    app: App, port: str, *, principal: str, reason: str, owner: str | None, as_json: bool
) -> None:
    r"""End a grant of PORT, or refuse a request, and list the products that may hold copies.

    Whoever was granted it may give it back, with --as.

    \b
    Example:
      mesh access revoke calls --from mallory --reason "The study is over." --as grace
    """
    id_ = id_of(app, port)
    body = {"port": id_, "principal": principal, "reason": reason}
    done = act(app, "revoke", owner or owner_of(app, id_), body)
    show(done, as_json=as_json)
    if not as_json and done["copies"]:
        click.echo(f"copies may be in: {', '.join(done['copies'])}")


@access.command(name="list")
@click.argument("port", required=False)
@click.option("--as", "principal", help="Who looks [MESH_PRINCIPAL, else the first person].")
@JSON
@click.pass_obj
def list_(app: App, port: str | None, *, principal: str | None, as_json: bool) -> None:
    r"""List requests and grants, of PORT or of all: who, what for, by whom and until when.

    What files say stands there too, where nobody has said otherwise.

    \b
    Example:
      mesh access list
      mesh access list calls --json
    """
    id_ = None if port is None else id_of(app, port)
    url = f"{app.address(ACCESS_SERVICE)}/access"
    found: Any = answer("GET", url, headers=login(app, principal or somebody(app)))
    found = [each for each in found if id_ in (None, each["port"])]
    if as_json:
        show_json(found)
        return
    show_table(COLUMNS, [[each[name] for name in COLUMNS] for each in found])


def act(app: App, verb: str, principal: str, body: Mapping[str, object]) -> Mapping[str, Any]:
    """Have the access service do something, as *principal*; what has become of the access."""
    url = f"{app.address(ACCESS_SERVICE)}/access/{verb}"
    return answer("POST", url, headers=login(app, principal), json=dict(body))


def login(app: App, principal: str) -> dict[str, str]:
    """What says to the access service who asks."""
    return {"Authorization": f"Bearer {get_token(app, principal, ACCESS_SERVICE)}"}


def id_of(app: App, port: str) -> str:
    """The contract's id of a port; an id that no file has may be that of a product that joined."""
    try:
        return find_port(app.project, port).id
    except WrongUse:
        if "." not in port:
            raise
        return port


def owner_of(app: App, port: str) -> str:
    """Who decides where nobody is named: the settings' principal, an owner, the product itself."""
    product = port.partition(".")[0]
    return app.settings.principal or next(iter(app.project.owners_of(product)), product)


def show(done: Mapping[str, Any], *, as_json: bool) -> None:
    """What has become of an access."""
    if as_json:
        show_json(done)
        return
    until = f" until {done['until']}" if done["until"] else ""
    click.echo(f"{done['port']}: {done['state']} for {done['principal']}{until}")
