"""`mesh read`: the rows of a port, through its product's door, as a principal."""

from __future__ import annotations

from collections.abc import Mapping

import click
import httpx

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table
from mesh.contract.model import Contract
from mesh.contract.names import listed, nearest
from mesh.contract.project import Project
from mesh.errors import MeshError, Refused, Unreachable, WrongUse

__all__ = ["fetch_rows", "read", "token"]

AS = click.option(
    "--as", "principal", help="Who reads [MESH_PRINCIPAL, else the first person granted]."
)


@click.command()
@click.argument("port")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 10_000))
@AS
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def read(app: App, port: str, *, limit: int, principal: str | None, as_json: bool) -> None:
    r"""Read the first rows of PORT, in order of its key.

    PORT is a port's name (calls), or its contract's id (call-center.calls).

    \b
    Example:
      mesh read calls --limit 3
      mesh read call-center.calls --as ada --json
    """
    contract = find_port(app.project, port)
    document = fetch_rows(app, contract, limit, principal or reader(app, contract))
    if as_json:
        show_json(document)
        return
    rows, columns = document["rows"], document["columns"]
    if isinstance(rows, list) and isinstance(columns, list):
        show_table(columns, rows)


@click.command()
@AS
@click.pass_obj
def token(app: App, *, principal: str | None) -> None:
    r"""Print a short-lived token, for an HTTP client of your own.

    \b
    Example:
      curl -H "Authorization: Bearer $(mesh token --as ada)" ADDRESS/ports/calls/rows
    """
    click.echo(get_token(app, principal or somebody(app)))


def find_port(project: Project, name: str) -> Contract:
    """The output port that *name* means. Raises `WrongUse` where that is none, or several."""
    outputs = {
        port.contract.id: (port.name, port.contract)
        for product in project.products.values()
        for port in product.outputs
    }
    found = [contract for id_, (port, contract) in outputs.items() if name in (id_, port)]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(each.id for each in found)
        raise WrongUse(f"{name!r} is a port of several products: say one of {choices}")
    near = nearest(name, [*outputs, *(port for port, _ in outputs.values())])
    hint = f"did you mean {near}?" if near else f"there are {listed(sorted(outputs))}"
    raise WrongUse(f"there is no port {name!r}: {hint}")


def somebody(app: App) -> str:
    """Who speaks where nobody is named: the settings' principal, or the first person."""
    if app.settings.principal is not None:
        return app.settings.principal
    for name in app.project.people:
        return name
    raise WrongUse("the project names no person in company/people.yaml: say --as PRINCIPAL")


def reader(app: App, contract: Contract) -> str:
    """Who reads where nobody is named: the first person that may."""
    if app.settings.principal is not None:
        return app.settings.principal
    granted = app.project.readers_of(contract)
    return next((name for name in app.project.people if name in granted), somebody(app))


def fetch_rows(app: App, contract: Contract, limit: int, principal: str) -> Mapping[str, object]:
    """Ask the product's door for rows.

    Raises `Refused` where the principal is not granted the port.
    """
    port = contract.topic.split(".")[3]
    url = f"{app.address(contract.product)}/ports/{port}/rows"
    headers = {"Authorization": f"Bearer {get_token(app, principal)}"}
    return answer("GET", url, headers=headers, params={"limit": limit})


def get_token(app: App, principal: str) -> str:
    """Exchange the principal's secret for a token."""
    login = app.principal(principal)
    url = f"{app.address('access')}/token"
    return str(answer("POST", url, auth=(login.name, login.secret))["token"])


def answer(method: str, url: str, **arguments: object) -> Mapping[str, object]:
    """The JSON of a door's answer; an error of our tree where it is none."""
    try:
        response = httpx.request(method, url, timeout=30, trust_env=False, **arguments)  # type: ignore[arg-type]  # httpx's own keywords
        document: Mapping[str, object] = response.json()
    except httpx.HTTPError as error:
        raise Unreachable(f"nobody answers at {url} ({error}): is it running?") from error
    except ValueError as error:
        raise MeshError(f"{url} did not answer with JSON") from error
    if response.is_success:
        return document
    text = f"{url.rsplit('/', 1)[0]}: {document.get('detail', response.status_code)}"
    raise Refused(text) if response.status_code in (401, 403) else MeshError(text)
