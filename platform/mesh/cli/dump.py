"""`mesh dump`: a file becomes a raw data product in one command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json, show_table, steps
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from mesh.contract.project import Project
    from mesh.product.dump import Dumped, Wish

__all__ = ["dump"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--domain", required=True, help="The domain that it comes from.")
@click.option("--name", required=True, help="What the product is called, in kebab-case.")
@click.option("--owner", help="The owner's e-mail address, else that of the domain's products.")
@click.option("--every", "days", type=click.IntRange(1, 3650), default=7, show_default=True,
              help="In how many days the next delivery is due, in a new contract.")  # fmt: skip
@click.option("--encoding", help="The encoding of the text, as utf-8 or cp1252, else guessed.")
@click.option("--delimiter", help="What separates columns: a character, tab, comma, semicolon.")
@click.option("--header/--no-header", default=None, help="Whether the first row is names.")
@click.option("--day-first/--month-first", default=None, help="How 01/02/2024 is meant.")
@click.option("--time-zone", default="UTC", show_default=True, help="Of times that have none.")
@click.option("--leave-out", multiple=True, metavar="COLUMN", help="A column to leave out.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def dump(app: App, /, file: Path, *, as_json: bool, **asked: object) -> None:
    r"""Make a raw data product of a CSV, Parquet or JSON-lines FILE, or deliver a newer one to it.

    Types, keys and identifiers are inferred into a contract that its owner edits. The rows are
    a batch port: Parquet in the product's folder. What cannot be read is set aside beside them,
    with the reason. Needs no running mesh; one that runs knows a new product after its next start.

    \b
    Example:
      mesh dump export.csv --domain network --name cell-calls
      mesh dump export-of-june.csv --domain network --name cell-calls
    """
    from mesh.product.dump import dump as make

    with steps() as progress:
        found = make(app.project_root, project_of(app), wish(file, asked), report=progress.say)
    if found.warning:
        click.echo(f"warning: {printable(found.warning)}", err=True)
    if as_json:
        show_json(as_document(found))
        return
    tell(found)


def project_of(app: App) -> Project:
    """The project, which may have no product yet."""
    from mesh.contract.project import load_project

    return load_project(app.project_root)


def wish(file: Path, asked: Mapping[str, Any]) -> Wish:
    """What the options ask for."""
    from mesh.product.dump import Wish
    from mesh.product.dump_source import Options

    return Wish(
        file=file,
        domain=asked["domain"],
        name=asked["name"],
        owner=asked["owner"],
        every_days=asked["days"],
        options=Options(
            encoding=asked["encoding"],
            delimiter=asked["delimiter"],
            header=asked["header"],
            day_first=asked["day_first"],
            time_zone=known_zone(asked["time_zone"]),
            leave_out=asked["leave_out"],
        ),
    )


def known_zone(name: str) -> str:
    """A time zone that is one. Raises `WrongUse`."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUse(f"there is no time zone {name!r}: write it as Europe/Berlin") from error
    return name


def as_document(found: Dumped) -> dict[str, object]:
    """What came of it, as JSON."""
    delivery, guessed = found.delivery, found.guessed
    return {
        "product": found.product.id,
        "port": found.port.name,
        "folder": str(found.product.folder),
        "contract": str(found.port.contract.path),
        "is_new": guessed is not None,
        "deliveries": found.count_deliveries,
        "rows": delivery.rows,
        "rejected": dict(delivery.rejected),
        "reading": dict(delivery.reading),
        "key": [each.name for each in found.port.contract.key_fields],
        "notes": list(found.notes),
        "warning": found.warning or None,
        "fields": [
            {
                "name": each.column.name,
                "header": each.column.header,
                "type": each.type.kind,
                "identifier": each.identifier.name if each.identifier else None,
                "candidates": list(each.candidates),
                "notes": list(each.notes),
            }
            for each in (guessed.fields if guessed else ())
        ],
    }


def tell(found: Dumped) -> None:
    """What came of it, for a person."""
    delivery, contract = found.delivery, found.port.contract
    if found.guessed is not None:
        rows = [
            (
                each.column.name,
                printable(each.column.header),
                each.type.kind,
                each.identifier.name if each.identifier else "",
                "; ".join([*(f"{name}?" for name in each.candidates), *each.notes]),
            )
            for each in found.guessed.fields
        ]
        show_table(("field", "column", "type", "identifier", "to be looked at"), rows)
    for note in found.notes:
        click.echo(f"note: {printable(note)}")
    key = ", ".join(each.name for each in contract.key_fields)
    aside = sum(delivery.rejected.values())
    click.echo(
        f"{found.product.id}: delivery {found.count_deliveries}, {delivery.rows} rows with the key "
        f"{key}; {aside} set aside"
        + "".join(f", {count} by {rule}" for rule, count in delivery.rejected.items())
    )
    if aside:
        path = contract.path.parents[1] / "data" / found.port.name / delivery.stem
        click.echo(f"set aside in {path}.rejected.parquet")
    if found.guessed is not None:
        click.echo(f"edit {contract.path}; `status: active` in it says that its owner accepts it")
