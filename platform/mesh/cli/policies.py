"""`mesh policies`: what every product must keep, and what is only worth knowing."""

from __future__ import annotations

import click

from mesh.cli.app import App
from mesh.cli.output import show_json, show_table

__all__ = ["policies"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def policies(app: App, *, as_json: bool) -> None:
    r"""List the policies: those that refuse a product, warnings, and those of domains.

    A domain adds its own in company/policies/DOMAIN.yaml (docs/catalogue.md).

    \b
    Example:
      mesh policies
      mesh policies --json
    """
    from mesh.contract.policies import rulebook

    found = rulebook(app.project_root)
    if as_json:
        show_json({"policies": [each.as_document() for each in found]})
        return
    refusing = [each for each in found if each.level == "error"]
    warning = [each for each in found if each.level != "error"]
    for title, chosen in (("refuses", refusing), ("warns", warning)):
        rows = [(each.rule, each.domain or "all", each.says) for each in chosen]
        show_table((title, "domain", "says"), rows)
