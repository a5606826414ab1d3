"""`mesh sql`: one query over the ports of all products that somebody is granted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click

from mesh.cli.app import App
from mesh.cli.doors import answer, answer_with_headers, form_for, receive
from mesh.cli.output import show_json, show_table
from mesh.cli.read import get_token, somebody
from mesh.contract.sql import LONGEST_SQL, SQL_SERVICE
from mesh.errors import WrongUse

__all__ = ["ask_sql", "sql", "tables_for"]

# Longer than a query may wait and run.
TIMEOUT_S = 150
TABLES = ("name", "port", "kind", "columns")


@click.command()
@click.argument("query", required=False)
@click.option("--file", type=click.File("rb"), help="Read the query from FILE, or from - .")
@click.option("--as", "principal", help="Who asks [MESH_PRINCIPAL, else the first person].")
@click.option("--tables", "is_list", is_flag=True, help="List what may be asked for.")
@click.option("--explain", "is_plan", is_flag=True, help="Show the plan, and do not run it.")
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to FILE: .json, .csv, .arrow or .parquet.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def sql(
    app: App,
    query: str | None,
    *,
    file: BinaryIO | None,
    principal: str | None,
    is_list: bool,
    is_plan: bool,
    is_csv: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    r"""Ask one SQL QUERY of all ports that you are granted, whichever product's they are.

    A port is named by domain, product and port: customer_service.call_center.calls.

    \b
    Example:
      mesh sql --tables
      mesh sql "select queue, count(*) from customer_service.call_center.calls group by all"
      mesh sql "from sales.contracts.contracts" --as ada --out contracts.parquet
      mesh sql --file examples/calls_by_contract.sql
    """
    if [query is None, file is None, not is_list].count(False) != 1:
        raise WrongUse("say one of a query, --file and --tables")
    who = principal or somebody(app)
    query = query if file is None else text_in(file)
    if query is None:
        show_tables(tables_for(app, who), as_json=as_json)
    elif is_csv or out is not None:
        form = form_for("csv" if is_csv else None, out, as_json=as_json)
        request = {"params": {"format": form}, **request_of(app, query, who, is_plan=is_plan)}
        receive("POST", f"{app.address(SQL_SERVICE)}/sql", request, out)
    else:
        show_answer(ask_sql(app, query, who, is_plan=is_plan), is_plan=is_plan, as_json=as_json)


def text_in(file: BinaryIO) -> str:
    """The query in a file, which may have no end. Raises `WrongUse` where it is none."""
    data = file.read(LONGEST_SQL + 1)
    if len(data) > LONGEST_SQL:
        raise WrongUse(f"{file.name} has more than the {LONGEST_SQL:,} bytes that a query may have")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WrongUse(f"{file.name} is not UTF-8: write the query in it anew") from error


def show_answer(document: Mapping[str, Any], *, is_plan: bool, as_json: bool) -> None:
    """An answer, as JSON or as a table; a plan is a drawing."""
    if as_json:
        show_json(document)
    elif is_plan:
        click.echo("\n".join(str(row[-1]) for row in document["rows"]))
    else:
        show_table(document["columns"], document["rows"])


def ask_sql(app: App, query: str, principal: str, *, is_plan: bool = False) -> Mapping[str, Any]:
    """Columns and rows of a query, the offsets that they are true for, and whether it was kept."""
    document, said = answer_with_headers(
        "POST",
        f"{app.address(SQL_SERVICE)}/sql",
        params={"format": "json"},
        **request_of(app, query, principal, is_plan=is_plan),
    )
    return {
        "columns": document["columns"],
        "rows": document["rows"],
        "offsets": document["offsets"],
        "cache": said["Mesh-Cache"],
        "age_s": int(said["Age"]),
    }


def request_of(app: App, query: str, principal: str, *, is_plan: bool) -> dict[str, Any]:
    """A query as it is sent."""
    return {
        "headers": headers(app, principal),
        "json": {"sql": query, "explain": is_plan},
        "timeout": TIMEOUT_S,
    }


def tables_for(app: App, principal: str) -> Sequence[Mapping[str, Any]]:
    """The tables that a principal may ask for."""
    url = f"{app.address(SQL_SERVICE)}/tables"
    found: Any = answer("GET", url, headers=headers(app, principal), timeout=TIMEOUT_S)["tables"]
    return list(found)


def show_tables(tables: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Tables, as JSON or as a table."""
    if as_json:
        show_json(tables)
        return
    rows = [
        [each["name"], each["port"], each["kind"], " ".join(c["name"] for c in each["columns"])]
        for each in tables
    ]
    show_table(TABLES, rows)


def headers(app: App, principal: str) -> Mapping[str, str]:
    """Who asks."""
    return {"Authorization": f"Bearer {get_token(app, principal, SQL_SERVICE)}"}
