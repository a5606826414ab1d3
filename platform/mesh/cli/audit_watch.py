"""`mesh audit watch`: tells each change of a port as it is logged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from mesh.cli.app import App
from mesh.cli.audit_ask import AS, ask
from mesh.cli.output import printable
from mesh.cli.read import find_port, reader

__all__ = ["watch"]

LOOK_S = 1.0


@click.command()
@click.argument("port")
@click.option("--count", type=click.IntRange(1), help="End after so many changes.")
@click.option("--since", help="From a moment on, as of `mesh audit state --at` [now].")
@AS
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document a line.")
@click.pass_obj
def watch(
    app: App,
    port: str,
    *,
    count: int | None,
    since: str | None,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Tell each change of PORT as it is logged, until Ctrl-C.

    \b
    Example:
      mesh audit watch contracts
      mesh audit watch contracts --count 10 --json
    """
    contract = find_port(app.project, port)
    who = principal or reader(app, contract)
    for told, change in enumerate(changes(app, contract.id, who, since), 1):
        click.echo(line_of(change, as_json=as_json))
        if told == count:
            return


def changes(app: App, port: str, principal: str, since: str | None) -> Iterator[Mapping[str, Any]]:
    """Each change, for ever. Asked for by offsets, so that none is told twice or passed over."""
    asked = {"from": since} if since else {}
    while True:
        document = ask(app, f"/changes/{port}", asked, principal)
        yield from document["changes"]
        (offsets,) = document["offsets"].values()
        asked = {"from": ",".join(f"{each}:{offset}" for each, offset in offsets.items())}
        if not document["changes"]:
            time.sleep(LOOK_S)


def line_of(change: Mapping[str, Any], *, as_json: bool) -> str:
    """A change as a line."""
    if as_json:
        return json.dumps(change)
    fields = ", ".join(change["fields"]) if change["change"] == "changed" else ""
    place = f"[{change['partition']}] {change['offset']}"
    words = [change["at"], place, change["writer"], change["change"], change["key"], fields]
    return printable("  ".join(filter(None, words)))
