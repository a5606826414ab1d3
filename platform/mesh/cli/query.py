"""`mesh query`: the queries that have a name, asked with values, and what they cost.

The SQL access point has their texts and answers. Not here: SQL that somebody writes (`mesh sql`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from mesh.cli.app import App
from mesh.cli.doors import answer, form_for, receive
from mesh.cli.output import show_json, show_table
from mesh.cli.query_asked import ask_named, request_of, told, values_in
from mesh.cli.query_publish import publish
from mesh.cli.read import somebody
from mesh.cli.sql import headers
from mesh.contract.sql import SQL_SERVICE
from mesh.query.files import load_query

__all__ = ["query"]

ASKER = click.option("--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first person].")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
LIST = ("name", "version", "owner", "parameters", "answered", "mean_ms", "description")
MARTS = ("table", "owner", "inputs", "rows", "refreshed_at", "is_behind", "took_ms", "reason")
RUNS = ("at", "principal", "version", "outcome", "milliseconds", "cpu_ms", "rows")


@click.group()
def query() -> None:
    r"""Ask the queries that have a name, an owner and a contract of their result.

    \b
    Example:
      mesh query list
      mesh query run overdue-per-payer --param day=2026-06-01 --as katherine
    """


query.add_command(publish)


@query.command("list")
@ASKER
@JSON
@click.pass_obj
def list_queries(app: App, *, principal: str | None, as_json: bool) -> None:
    r"""List the queries that you may ask, and what each has cost.

    \b
    Example:
      mesh query list
      mesh query list --as ada --json
    """
    found: Any = told(app, principal, "/queries")["queries"]
    if as_json:
        show_json(found)
        return
    show_rows(LIST, map(line_of, found))


@query.command()
@click.argument("name")
@ASKER
@JSON
@click.pass_obj
def show(app: App, name: str, *, principal: str | None, as_json: bool) -> None:
    r"""Show the query NAME: its owner, its parameters, its result, and who asked it last.

    \b
    Example:
      mesh query show calls-of-a-contract
      mesh query show calls-of-a-contract --json
    """
    found: Any = told(app, principal, f"/queries/{quote(name, safe='')}")
    if as_json:
        show_json(found)
        return
    click.echo(f"{found['name']} {found['version']}, of {found['owner']}: {found['description']}")
    for title, columns, rows in (
        ("parameters", ("name", "type", "description", "examples"), found["parameters"]),
        ("result", ("name", "type", "is_required", "is_key", "description"), found["result"]),
        ("last runs", RUNS, found["runs"]),
    ):
        click.echo(f"\n{title}{'' if rows else ': none'}")
        if rows:
            show_rows(columns, rows)
    click.echo(f"\n{found['sql']}")


@query.command()
@click.argument("name")
@click.option("--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@ASKER
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to FILE: .json, .csv, .arrow or .parquet.",
)
@JSON
@click.pass_obj
def run(
    app: App,
    name: str,
    *,
    given: Sequence[str],
    principal: str | None,
    is_csv: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    r"""Ask the query NAME, over the ports that you are granted.

    Values are bound, never pasted into the text; the answer is checked against its contract.

    \b
    Example:
      mesh query run overdue-per-payer --param day=2026-06-01 --as katherine
      mesh query run abandoned-calls --param day=2026-01-05 --csv
    """
    values, who = values_in(given), principal or somebody(app)
    if is_csv or out is not None:
        form = form_for("csv" if is_csv else None, out, as_json=as_json)
        request = {"params": {"format": form}, **request_of(app, name, values, who)}
        receive("POST", f"{app.address(SQL_SERVICE)}/sql", request, out)
        return
    document = ask_named(app, name, values, who)
    if as_json:
        show_json(document)
    else:
        show_table(document["columns"], document["rows"])


@query.command()
@click.argument("port")
@ASKER
@JSON
@click.pass_obj
def together(app: App, port: str, *, principal: str | None, as_json: bool) -> None:
    r"""Show which ports are asked together with PORT, and on which fields they are joined.

    Taken from the queries that really ran, named or not; no value of them is kept.

    \b
    Example:
      mesh query together call-center.calls
      mesh query together call-center.calls --json
    """
    contract = app.project.contract(port)
    found: Any = told(app, principal, f"/together/{contract.id}")["together"]
    if as_json:
        show_json(found)
        return
    rows = [
        [
            each["port"],
            each["queries"],
            ", ".join(f"{on['field']} = {on['other']} ({on['queries']})" for on in each["on"]),
            each["last_at"],
        ]
        for each in found
    ]
    show_table(("port", "queries", "on", "last_at"), rows)


@query.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--as", "principal", help="Who owns it [the owner that FILE names].")
@JSON
@click.pass_obj
def register(app: App, file: Path, *, principal: str | None, as_json: bool) -> None:
    r"""Register the query in FILE with the mesh that runs, or its next version.

    It can be asked from then on. Those of `company/queries` need no registering.

    \b
    Example:
      mesh query register calls-of-a-day.sql
      mesh query register calls-of-a-day.sql --as ada --json
    """
    found = load_query(file, app.project.people)
    url = f"{app.address(SQL_SERVICE)}/queries/{found.name}"
    sent = headers(app, principal or found.owner)
    document = answer("PUT", url, headers=sent, content=file.read_bytes())
    if as_json:
        show_json(document)
    else:
        click.echo(f"{found.name} {found.version} of {found.owner} is registered")


@query.command()
@ASKER
@JSON
@click.pass_obj
def marts(app: App, *, principal: str | None, as_json: bool) -> None:
    r"""List the queries whose rows are kept as tables: what they read, and how fresh they are.

    \b
    Example:
      mesh query marts
      mesh query marts --as grace --json
    """
    found: Any = told(app, principal, "/marts")["marts"]
    if as_json:
        show_json(found)
        return
    show_rows(MARTS, found)


def line_of(found: Mapping[str, Any]) -> Mapping[str, object]:
    """A query as a line of the list."""
    cost = found["cost"] or {}
    answered = cost.get("answered", 0)
    mean = round(cost["milliseconds"] / answered) if answered else None
    parameters = " ".join(found["parameters"])
    return {**found, "parameters": parameters, "answered": answered, "mean_ms": mean}


def show_rows(columns: Sequence[str], found: Iterable[Mapping[str, Any]]) -> None:
    """Print as a table what the service says of each."""
    show_table(columns, [[text_of(each[name]) for name in columns] for each in found])


def text_of(value: object) -> object:
    """A cell of a table."""
    if isinstance(value, bool):
        return "yes" if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list) else value
