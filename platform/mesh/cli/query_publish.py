"""`mesh query publish`: a data product of a named query, as a folder that runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mesh.cli.app import App
from mesh.cli.new import next_steps, show_created
from mesh.cli.output import show_json
from mesh.cli.query_asked import values_in
from mesh.contract.names import nearest
from mesh.errors import WrongUse
from mesh.query.files import QUERIES, NamedQuery, shipped_in

if TYPE_CHECKING:
    from mesh.product.new import Created

__all__ = ["publish"]


@click.command()
@click.argument("name")
@click.option("--as", "product", required=True, metavar="PRODUCT", help="What to call it.")
@click.option("--param", "given", multiple=True, metavar="NAME=VALUE", help="A parameter's value.")
@click.option("--key", metavar="FIELD[,FIELD]", help="The key, else that of the query's result.")
@click.option("--port", help="What to call its port, else as the product.")
@click.option("--domain", help="The domain that offers it, else its owner's.")
@click.option("--owner", metavar="PERSON", help="Who owns it, else who owns the query.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def publish(app: App, /, name: str, *, given: Sequence[str], as_json: bool, **wanted: Any) -> None:
    r"""Make a product of the query NAME of the project: all its files, as a start that runs.

    Its one state port has the rows of the query, as a stream; its contract is that of the
    query's result, and from then on its own. What the query is asked with is fixed in it. It is
    a folder below products/, never one that is there, and a mesh that runs knows it after its
    next start.

    \b
    Example:
      mesh query publish calls-per-day --as daily-calls
      mesh query publish calls-per-day --as daily-calls --key day,queue --owner grace
      mesh query publish repeat-callers --as callers --param since=2026-01-01 --param days=7
    """
    from mesh.wiring.query_product import Wanted
    from mesh.wiring.query_product import publish as made

    project = app.project
    query = found(app, name)
    values = values_in(given)
    created = made(app.project_root, project, query, Wanted(values=values, **wanted))
    steps = next_steps(project, created)
    if as_json:
        show_json(as_document(query, created, [*steps]))
        return
    show_created(created, steps)


def found(app: App, name: str) -> NamedQuery:
    """The query of this name. Raises `WrongUse` where the project has none."""
    known = {each.name: each for each in shipped_in(app.project)}
    if name in known:
        return known[name]
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"its file belongs in {QUERIES}"
    raise WrongUse(f"the project has no query {name[:80]!r}: {hint}")


def as_document(query: NamedQuery, created: Created, steps: list[str]) -> dict[str, object]:
    """What came of it, as JSON."""
    port = created.product.outputs[0].contract
    return {
        "product": created.product.id,
        "port": port.id,
        "query": query.name,
        "version": query.version,
        "owner": created.product.owner,
        "key": [each.name for each in port.key_fields],
        "inputs": [each.contract.id for each in created.shape.sources],
        "folder": str(created.product.folder),
        "files": list(created.files),
        "fields": [each.name for each in port.fields],
        "cases": created.cases,
        "notes": list(created.notes),
        "warnings": list(created.warnings),
        "next": steps,
    }
