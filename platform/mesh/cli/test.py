"""`mesh test`: the cases of a product, without a broker."""

from __future__ import annotations

import sys

import click

from mesh.cli.app import App
from mesh.cli.output import show_json

__all__ = ["test"]


@click.command()
@click.argument("product")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def test(app: App, product: str, *, as_json: bool) -> None:
    r"""Run the cases of PRODUCT (its .test.yaml files): given rows, expected rows.

    \b
    Example:
      mesh test call-center
    """
    from mesh.product.cases import run_cases
    from mesh.product.plan import plan_product

    outcomes = run_cases(plan_product(app.project, product))
    failed = [each for each in outcomes if not each.is_ok]
    if as_json:
        cases = [
            {"port": each.port, "case": each.case, "ok": each.is_ok, "difference": each.difference}
            for each in outcomes
        ]
        show_json({"product": product, "ok": not failed, "cases": cases})
    else:
        for each in outcomes:
            click.echo(f"{'ok  ' if each.is_ok else 'FAIL'} {each.port}: {each.case}")
            if not each.is_ok:
                click.echo(f"     {each.difference}")
        click.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases hold")
    # A product without cases has nothing that could fail, which is no success either.
    sys.exit(1 if failed or not outcomes else 0)
