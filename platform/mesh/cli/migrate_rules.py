"""`mesh migrate rules`: for what causes a report of the warehouse may differ from the mesh's."""

from __future__ import annotations

import click

from mesh.cli.output import show_json, show_table
from mesh.errors import WrongUse

__all__ = ["rules"]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rules(name: str | None, *, as_json: bool) -> None:
    r"""List the causes by which the ledger explains a difference, or show the SQL of NAME.

    \b
    Example:
      mesh migrate rules
      mesh migrate rules ported-number
    """
    from mesh.migrate.causes import load_causes
    from mesh.migrate.warehouse import find_warehouse

    causes = load_causes(find_warehouse().folder)
    chosen = [each for each in causes if name in (None, each.name)]
    if not chosen:
        known = ", ".join(each.name for each in causes)
        raise WrongUse(f"there is no rule {name!r}: there are {known}")
    if as_json:
        show_json(
            {
                "rules": [
                    {
                        "name": each.name,
                        "whose": each.whose,
                        "about": each.about,
                        "changes": list(each.views),
                        "evidence": each.evidence or None,
                        "sql": each.sql,
                    }
                    for each in chosen
                ]
            }
        )
    elif name is not None:
        click.echo(chosen[0].sql)
    else:
        rows = [(each.name, each.whose, each.about) for each in chosen]
        show_table(("rule", "whose", "what"), rows)
