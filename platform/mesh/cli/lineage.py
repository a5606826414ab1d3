"""`mesh lineage` and `mesh impact`: what is made of what, and what a change would break."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table
from mesh.contract.names import listed, nearest
from mesh.errors import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesh.cli.observed import Seen
    from mesh.contract.columns import Ref
    from mesh.contract.impact import Impact, Lineage, Touched
    from mesh.contract.lineage import Edge
    from mesh.contract.observed import Difference
    from mesh.contract.project import Project

__all__ = ["impact", "lineage"]


@click.command()
@click.argument("name", metavar="[PRODUCT|PORT]", required=False)
@click.option("--observed", is_flag=True, help="Ask what running products read, and compare.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def lineage(app: App, name: str | None, *, observed: bool, as_json: bool) -> None:
    r"""Show who reads which port, and of what each field of a port is made.

    Without a name, or with a product's id: which ports go into which product. With a PORT (its
    name, or its contract's id): of which fields of other ports each of its fields is made, read
    from its SQL. Nothing need run, but for --observed, which exits with 1 where somebody reads
    what no descriptor says.

    \b
    Example:
      mesh lineage
      mesh lineage key-ring --observed
      mesh lineage contracts.contracts --json
    """
    from mesh.cli.observed import look
    from mesh.contract.impact import trace

    found = trace(app.project)
    chosen = chosen_ports(found, name)
    seen = look(app, found.edges) if observed else None
    edges = [each for each in (seen or found).edges if is_about(each, chosen)]
    differing = [each for each in (seen.differences if seen else ()) if is_about(each, chosen)]
    if as_json:
        show_json(
            {
                "edges": [edge_record(each) for each in edges],
                "ports": [port_record(found, each) for each in sorted(chosen)],
                "differences": [{**asdict(each), "text": each.text} for each in differing],
            }
        )
    elif name is None or name in app.project.products:
        show_edges(found.project, edges)
    else:
        show_port(found, *chosen)
    if not as_json:
        show_differences(seen, differing)
    sys.exit(any(each.what == "undeclared" for each in differing))


@click.command()
@click.argument("field", metavar="PORT.FIELD")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def impact(app: App, field: str, *, as_json: bool) -> None:
    r"""Show what breaks if a field changes, and whom.

    Every port that is made of the field, directly or through other ports: by the value of a
    field, or because it decides which rows there are. Nothing need run.

    \b
    Example:
      mesh impact calls.phone_number
      mesh impact contracts.role-changes.role --json
    """
    from mesh.contract.impact import impact_of, trace

    port, dot, name = field.rpartition(".")
    if not dot or not port or not name:
        raise WrongUse(f"{field!r} is no field: write PORT.FIELD, as in calls.phone_number")
    contract_id = find_contract(app.project, port)
    found = trace(app.project)
    result = impact_of(found, found.ref(contract_id, name))
    if as_json:
        show_json(result.as_document())
    else:
        show_impact(result)


def find_contract(project: Project, name: str, *, with_products: bool = False) -> str:
    """The id of the contract that *name* means. Raises `WrongUse` where none is, or several."""
    contracts = project.contracts
    found = [each.id for each in contracts.values() if name in (each.id, each.port)]
    if len(found) == 1 or name in contracts:
        return name if name in contracts else found[0]
    if found:
        raise WrongUse(f"{name!r} is a port of several products: say one of {listed(found)}")
    known = [*contracts, *(each.port for each in contracts.values())]
    known += project.products if with_products else []
    near = nearest(name, known)
    hint = f"did you mean {near}?" if near else f"there are {listed(sorted(contracts))}"
    raise WrongUse(f"there is no {'product or ' * with_products}port {name!r}: {hint}")


def chosen_ports(found: Lineage, name: str | None) -> list[str]:
    """The ports that *name* means: all, those of a product, or one."""
    if name is None:
        return list(found.ports)
    if name in found.project.products:
        return [each.id for each in found.project.products[name].contracts]
    return [find_contract(found.project, name, with_products=True)]


def is_about(edge: Edge | Difference, ports: list[str]) -> bool:
    """Whether an edge goes out of one of *ports*, or into the product of one."""
    return edge.source in ports or edge.target in {each.partition(".")[0] for each in ports}


def edge_record(edge: Edge) -> dict[str, object]:
    """An edge as JSON."""
    return {
        "source": edge.source,
        "target": edge.target,
        "kind": edge.kind,
        "columns": [list(each) for each in edge.columns],
    }


def port_record(found: Lineage, port: str) -> dict[str, object]:
    """Of what a port is made, as JSON."""
    columns = found.ports[port]
    return {
        "port": port,
        "writer": found.project.writer_of(found.project.contract(port)),
        "readers": list(found.project.readers_of(found.project.contract(port))),
        "fields": {name: texts(refs) for name, refs in columns.values.items()},
        "decides": texts(columns.decides),
        "unknown": columns.unknown,
    }


def show_edges(project: Project, edges: list[Edge]) -> None:
    """Who reads which port."""
    contracts = project.contracts
    show_table(
        ("port", "written by", "read by", "known as", "fields used"),
        [
            (
                each.source,
                project.writer_of(contracts[each.source]) if each.source in contracts else "",
                each.target,
                each.kind,
                len({source for source, _ in each.columns}) or "",
            )
            for each in edges
        ],
    )


def show_differences(seen: Seen | None, found: list[Difference]) -> None:
    """Where declared and observed differ, if it was asked."""
    for each in found:
        click.echo(f"{each.what}: {each.text}")
    if seen and seen.silent:
        click.echo(f"not running, so not asked: {', '.join(seen.silent)}")
    if seen and not found:
        click.echo("what was observed is what is declared")


def show_port(found: Lineage, port: str) -> None:
    """Of what each field of a port is made, and who reads it."""
    columns, contract = found.ports[port], found.project.contract(port)
    writer = found.project.writer_of(contract)
    readers = listed(found.project.readers_of(contract)) or "nobody"
    click.echo(f"{port}: written by {writer}, read by {readers}")
    if columns.unknown:
        click.echo(f"of what it is made is not known: {columns.unknown}")
        return
    rows = [(name, "\n".join(texts(refs))) for name, refs in columns.values.items()]
    if columns.decides:
        rows.append(("(which rows there are)", "\n".join(texts(columns.decides))))
    if any(made_of for _, made_of in rows):
        show_table(("field", "is made of"), rows)


def show_impact(found: Impact) -> None:
    """What a change breaks, and whom."""
    rows = [
        (each.contract_id, each.steps, ", ".join(each.fields), effect(each), ", ".join(each.people))
        for each in found.ports
    ]
    if rows:
        show_table(("port", "steps", "fields", "what else", "people"), rows)
    else:
        click.echo(f"no port is made of {found.ref}")
    for text, names in (
        ("owners to ask", found.owners),
        ("people who may read the port itself", found.people),
        ("products that read the port and do not use the field", found.spared),
        ("products with a door of their own, of which nothing is known", found.doors),
    ):
        if names:
            click.echo(f"{text}: {', '.join(names)}")


def effect(touched: Touched) -> str:
    """What a change does beside the values of fields."""
    if touched.unknown:
        return f"not known: {touched.unknown}"
    return "which rows there are" if touched.has_rows else ""


def texts(refs: Iterable[Ref]) -> list[str]:
    """References as they are written, in order."""
    return sorted(str(each) for each in refs)
