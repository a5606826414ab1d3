"""`mesh read`: the rows of a port, through its product's door, as a principal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from mesh.cli.app import App
from mesh.cli.doors import FORMATS, answer, download, form_for
from mesh.cli.output import show_json, show_table
from mesh.contract.model import Contract
from mesh.contract.names import listed, nearest
from mesh.contract.project import Project
from mesh.errors import SettingsError, WrongUse

__all__ = ["fetch_rows", "read", "token"]

THROUGH = ("rest", "graphql", "grpc")
AS = click.option(
    "--as", "principal", help="Who reads [MESH_PRINCIPAL, else the first person granted]."
)


@click.command()
@click.argument("port")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--all", "is_all", is_flag=True, help="Every row, in no order.")
@click.option("--where", multiple=True, metavar="FILTER", help="queue=billing, duration_s.gt=60, …")
@click.option("--fields", help="These columns only, separated by commas.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Print, or write to --out, in this format."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file.")
@click.option(
    "--through", type=click.Choice(THROUGH), default="rest", show_default=True, help="Which door."
)
@AS
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def read(
    app: App,
    port: str,
    *,
    limit: int,
    is_all: bool,
    where: tuple[str, ...],
    fields: str | None,
    form: str | None,
    out: Path | None,
    through: str,
    principal: str | None,
    as_json: bool,
) -> None:
    r"""Read the first rows of PORT, in order of its key.

    PORT is a port's name (calls; calls.v2 for a second major version), or its contract's id
    (call-center.calls). A FILTER is a field and a value; after the field may stand .ne, .gt,
    .gte, .lt, .lte, .prefix, .is_null. Every door gives the same rows.

    \b
    Example:
      mesh read calls --limit 3
      mesh read call-center.calls --as ada --json
      mesh read calls --where queue=billing --all --out billing.parquet
      mesh read calls --through graphql --limit 3
    """
    contract = find_port(app.project, port)
    principal = principal or reader(app, contract)
    filters = [*map(parsed, where), *([("fields", fields)] if fields is not None else [])]
    if form is not None or out is not None:
        if through != "rest":
            raise WrongUse(f"{through} gives no files: leave out --through, or --format and --out")
        form = form_for(form, out, as_json=as_json)
        filters.append(("limit", "all" if is_all else str(limit)))
        download(*rows_url_and_token(app, contract, principal), filters, form=form, out=out)
        return
    ask = {"rest": fetch_rows, "graphql": fetch_graphql, "grpc": fetch_grpc}[through]
    document = ask(app, contract, None if is_all else limit, principal, filters)
    show_rows(document, as_json=as_json)


@click.command()
@AS
@click.option(
    "--for",
    "audience",
    metavar="SERVICE",
    help="Good at this door alone: a product's, a service's, or catalogue.pages.",
)
@click.pass_obj
def token(app: App, *, principal: str | None, audience: str | None) -> None:
    r"""Print a short-lived token, for an HTTP client of your own.

    \b
    Example:
      curl -H "Authorization: Bearer $(mesh token --as ada)" ADDRESS/ports/calls/rows
    """
    click.echo(get_token(app, principal or somebody(app), audience))


def show_rows(document: Mapping[str, object], *, as_json: bool) -> None:
    """Rows as a table, or with all that goes with them."""
    if as_json:
        show_json(document)
        return
    rows, columns = document["rows"], document["columns"]
    if isinstance(rows, list) and isinstance(columns, list):
        show_table(columns, rows)


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


def parsed(text: str) -> tuple[str, str]:
    """A filter as a parameter. Raises `WrongUse` where it has no value."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise WrongUse(f"{text!r} is no filter: write field=value, or field.gte=value")
    return name, value


def rows_url(app: App, contract: Contract) -> str:
    """Where the rows of a port are. Raises `WrongUse` where they are at no door."""
    if contract.day_field is not None:
        raise WrongUse(f"{contract.id} is published by day, as files: ask it with `mesh sql`")
    return f"{app.address(contract.product)}/ports/{contract.port}/rows"


def fetch_rows(
    app: App,
    contract: Contract,
    limit: int | None,
    principal: str,
    filters: Sequence[tuple[str, str]] = (),
) -> Mapping[str, object]:
    """Ask the product's door for rows; for all of them where *limit* is None.

    Raises `Refused` where the principal is not granted the port, `WrongUse` for a filter that
    does not fit its contract.
    """
    url, token = rows_url_and_token(app, contract, principal)
    params = [*filters, ("limit", "all" if limit is None else str(limit))]
    return answer("GET", url, headers={"Authorization": f"Bearer {token}"}, params=params)


def fetch_graphql(
    app: App,
    contract: Contract,
    limit: int | None,
    principal: str,
    filters: Sequence[tuple[str, str]] = (),
) -> Mapping[str, object]:
    """As `fetch_rows`, in GraphQL."""
    from mesh.cli.read_graphql import read_graphql

    token = get_token(app, principal, contract.product)
    return read_graphql(app.address(contract.product), token, contract, limit, filters)


def fetch_grpc(
    app: App,
    contract: Contract,
    limit: int | None,
    principal: str,
    filters: Sequence[tuple[str, str]] = (),
) -> Mapping[str, object]:
    """As `fetch_rows`, by gRPC. Raises `SettingsError` where there is none, here or there."""
    target = answer("GET", f"{app.address(contract.product)}/discoverability").get("grpc")
    if target is None:
        raise SettingsError(
            f"{contract.product} has no gRPC: start the mesh with MESH_GRPC_PORT=0 in its settings"
        )
    try:
        from mesh.cli.read_grpc import read_grpc
    except ImportError as error:
        raise SettingsError(
            "gRPC is not installed: `pip install 'reference-data-mesh[grpc]'`"
        ) from error
    token = get_token(app, principal, contract.product)
    return read_grpc(str(target), token, contract, limit, filters)


def rows_url_and_token(app: App, contract: Contract, principal: str) -> tuple[str, str]:
    """Where the rows of a port are, and what opens that door."""
    return rows_url(app, contract), get_token(app, principal, contract.product)


def get_token(app: App, principal: str, audience: str | None) -> str:
    """Exchange the principal's secret for a token, good at the door of *audience* or at all."""
    login = app.principal(principal)
    url = f"{app.address('access')}/token"
    params = {} if audience is None else {"for": audience}
    return str(answer("POST", url, auth=(login.name, login.secret), params=params)["token"])
