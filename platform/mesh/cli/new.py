"""`mesh new`: a data product that reads other products' ports, as a folder that runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mesh.cli.app import App
from mesh.cli.output import printable, show_json
from mesh.cli.read import find_port

if TYPE_CHECKING:
    from mesh.contract.project import Project
    from mesh.product.new import Created

__all__ = ["new", "next_steps", "show_created"]


@click.command()
@click.argument("name")
@click.option("--domain", required=True, help="The domain that offers it.")
@click.option(
    "--from", "ports", multiple=True, required=True, metavar="PORT", help="A port to read, each."
)
@click.option(
    "--kind",
    type=click.Choice(["state", "event"]),
    default="state",
    show_default=True,
    help="A row per key, or per row of one event port.",
)
@click.option("--by", metavar="IDENTIFIER", help="Which of the shared identifiers is the key.")
@click.option("--owner", help="The owner's e-mail address, else that of the domain's products.")
@click.option("--purpose", help="What its rows are for; who grants it an input reads this.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def new(app: App, /, name: str, *, ports: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    r"""Make a product NAME that reads the given ports: all its files, as a start that runs.

    A state port joins its inputs by an identifier that they share, and counts; an event port maps
    one input. Personal fields are left out, but for the key. It is a folder below products/,
    never one that is there, and a mesh that runs knows it after its next start.

    \b
    Example:
      mesh new churn-signals --domain customer-service --from contracts --from invoices
      mesh new long-calls --domain customer-service --from calls --kind event
    """
    from mesh.product.new import Wish, create

    project = app.project
    contracts = tuple(find_port(project, each) for each in ports)
    created = create(app.project_root, project, Wish(name=name, ports=contracts, **asked))
    steps = next_steps(project, created)
    if as_json:
        show_json(as_document(created, steps))
        return
    show_created(created, steps)


def show_created(created: Created, steps: Mapping[str, str]) -> None:
    """Say what was made, for people."""
    click.echo(f"{created.product.id}: {created.product.folder}")
    for each in created.files:
        click.echo(f"  {each}")
    for each in created.notes:
        click.echo(f"note: {printable(each)}")
    for each in created.warnings:
        click.echo(f"warning: {printable(each)}", err=True)
    click.echo("next:")
    for command, what in steps.items():
        click.echo(f"  {command}  # {what}")


def next_steps(project: Project, created: Created) -> Mapping[str, str]:
    """What to do with the product now: each command, and what for."""
    id_ = created.product.id
    steps = {
        f"mesh test {id_}": "after each edit",
        f"mesh product validate {id_}": "its files and the policies",
        "mesh down": "where a mesh runs",
        "mesh up": "it is there with the next start",
    }
    for source in created.shape.sources:
        contract = source.contract
        if contract.access == "ask":
            owners = project.owners_of(contract.product)
            who = owners[0] if owners else contract.product
            command = f"mesh access grant {contract.id} --to {id_} --as {who}"
            steps[command] = f"the word of {', '.join(owners) or contract.product}"
    # By its whole name: another product may have a port that is called so.
    port = created.product.outputs[0].contract.id
    steps[f"mesh read {port} --as {id_}"] = "its rows"
    return steps


def as_document(created: Created, steps: Mapping[str, str]) -> dict[str, object]:
    """What came of it, as JSON."""
    shape = created.shape
    return {
        "product": created.product.id,
        "port": created.product.outputs[0].contract.id,
        "kind": shape.kind,
        "by": shape.identifier,
        "folder": str(created.product.folder),
        "files": list(created.files),
        "fields": [each.name for each in shape.columns],
        "left_out": [f"{source.contract.id}.{field.name}" for source, field in shape.left_out],
        "cases": created.cases,
        "notes": list(created.notes),
        "warnings": list(created.warnings),
        "next": list(steps),
    }
